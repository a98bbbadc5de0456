"""Training: batches, callbacks, interruptions, losses that blow up."""

import copy
import os
import pickle
import signal
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from skorch.callbacks import (
    Callback,
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
    LRScheduler,
)

from geomgen import AE, GrassmannAE, LISAGenerator, VAEGenerator
from geomgen._batches import Batches, Rows
from geomgen.samplers import GaussianSampler

from .helpers import ESTIMATORS, having, name, small

X = load_iris().data
every = pytest.mark.parametrize("cls", ESTIMATORS, ids=name)


class At(Callback):
    """Does something in the given epoch and batch."""

    def __init__(self, action, epoch=1, batch=0):
        self.action, self.epoch, self.batch = action, epoch, batch

    def on_epoch_begin(self, net, **kwargs):
        self.seen = 0

    def on_batch_end(self, net, training, **kwargs):
        if training and len(net.history) == self.epoch and self.seen == self.batch:
            self.action(net)
        self.seen += 1


def interrupt(net):
    raise KeyboardInterrupt


def poison(net):
    with torch.no_grad():
        next(net.module_.parameters()).fill_(torch.nan)


def fail(net):
    raise RuntimeError("a callback failed")


# ------------------------------------------------------------------------------------- batches
@pytest.mark.parametrize(
    "n,size,wanted",
    [
        (10, 4, [4, 4, 2]),
        (9, 4, [4, 5]),
        (3, 8, [3]),
        (1, 4, [1]),
        (3, 1, [1, 1, 1]),
        (8, 4, [4] * 2),
    ],
)
def test_every_row_once_and_no_last_batch_of_one(n, size, wanted):
    rows = Rows(np.arange(n, dtype=float)[:, None], np.dtype("float32"), "cpu")
    batches = list(Batches(rows, size, torch.Generator().manual_seed(0)))
    assert [len(b) for b in batches] == wanted
    assert sorted(torch.cat(batches).ravel().tolist()) == list(range(n))


def test_order_changes_from_epoch_to_epoch():
    rows = Rows(np.arange(50.0)[:, None], np.dtype("float32"), "cpu")
    batches = Batches(rows, 50, torch.Generator().manual_seed(0))
    one, two = (next(iter(batches)).ravel().tolist() for _ in range(2))
    assert one != two


def test_rows_are_copied_unless_mapped(tmp_path):
    array = np.ones((4, 2), np.float32)
    rows = Rows(array, array.dtype, "cpu")
    array[:] = 0
    assert rows.take(torch.tensor([0])).sum() == 2
    np.save(tmp_path / "a.npy", np.ones((4, 2)))
    mapped = Rows(np.load(tmp_path / "a.npy", mmap_mode="r"), array.dtype, "cpu")
    assert mapped.mapped and isinstance(mapped.data, np.memmap)
    assert mapped.take(torch.tensor([1, 1])).dtype == torch.float32


# ------------------------------------------------------------------------------ interruptions
@having("callbacks")
@pytest.mark.parametrize("epoch", [1, 3])
def test_ctrl_c_keeps_what_was_learnt(cls, epoch):
    model = small(cls, max_epochs=9, callbacks=[At(interrupt, epoch, batch=1)])
    with pytest.warns(UserWarning, match=r"interrupted after \d epochs"):
        model.fit(X)
    assert model.n_iter_ == epoch
    assert np.isfinite(model.sample(4, 0)).all() and np.isfinite(model.score(X))
    model.set_params(callbacks=None).partial_fit(X)


def sigint(net=None):
    os.kill(os.getpid(), signal.SIGINT)


class AtEvent(Callback):
    """Sends a real Ctrl-C at one of skorch's events of the second epoch."""

    def __init__(self, event):
        setattr(self, event, self.interrupt)

    def interrupt(self, net, **kwargs):
        if len(net.history) == 2:
            sigint()


@pytest.mark.parametrize(
    "event,done",
    [("on_epoch_begin", 1), ("on_batch_begin", 1), ("on_grad_computed", 1), ("on_epoch_end", 2)],
)
def test_a_real_ctrl_c_at_any_event(event, done):
    model = small(AE, max_epochs=50, callbacks=[AtEvent(event)])
    with pytest.warns(UserWarning, match=f"after {done} epochs") as caught:
        model.fit(X)
    assert caught[0].filename == __file__  # the warning points at the caller's line
    assert model.n_iter_ == len(model.history_) == done
    assert np.isfinite(model.sample(3, 0)).all() and model.history_["loss"].notna().all()


def test_ctrl_c_at_the_end_of_training():
    model = small(AE, max_epochs=2, callbacks=[AtEvent("on_train_end")])
    with pytest.warns(UserWarning, match="after 2 epochs"):
        model.fit(X)
    assert np.isfinite(model.sample(3, 0)).all()


def test_ctrl_c_before_anything_was_learnt_is_just_that():
    fitted = small(AE).fit(X)
    codes = fitted.transform(X)
    for model in (small(AE), fitted):
        with pytest.raises(KeyboardInterrupt):
            model.set_params(callbacks=[At(interrupt, 1, -1), Interrupter()]).fit(X)
    np.testing.assert_array_equal(fitted.transform(X), codes)


class Interrupter(Callback):
    def on_train_begin(self, net, **kwargs):
        sigint()


class SlowSampler(GaussianSampler):
    def _fit(self, Z, model):
        sigint()


def test_ctrl_c_while_the_sampler_is_fitted():
    with pytest.warns(UserWarning, match="one Gaussian stands in"):
        model = small(AE, sampler=SlowSampler()).fit(X)
    assert type(model.sampler_) is GaussianSampler and model.n_iter_ == 3
    assert np.isfinite(model.sample(3, 0)).all()


def test_ctrl_c_after_nan_goes_back():
    both = [At(poison, 2, 0), At(interrupt, 2, 1)]
    with pytest.warns(UserWarning, match="interrupted"):
        model = small(AE, callbacks=both).fit(X)
    assert model.n_iter_ == 1 and np.isfinite(model.transform(X)).all()


@having("callbacks", "warm_start")
def test_loss_that_turns_non_finite_keeps_the_last_good_weights(cls):
    good = small(cls, max_epochs=2).fit(X)
    model = small(cls, max_epochs=9, callbacks=[At(poison, 3)])
    with pytest.raises(ValueError, match=r"'recon'.* stopped being finite in epoch 3.*Lower lr"):
        model.fit(X)
    assert model.n_iter_ == 2
    np.testing.assert_array_equal(model.transform(X), good.transform(X))
    np.testing.assert_array_equal(model.sample(4, 0), good.sample(4, 0))
    model.set_params(callbacks=None, warm_start=True).fit(X)  # its optimiser is sound as well
    assert np.isfinite(model.history_["loss"]).all()


def test_the_term_that_blew_up_first_is_named():
    """One bad step poisons all terms after it: the mean of each is NaN at the end of the epoch."""

    class Bad(LISAGenerator):
        def _objective(self, model, x, generator):
            terms = super()._objective(model, x, generator)
            if model.n_steps == 11:  # third epoch of five batches, second batch
                terms["uniformity"] = terms["uniformity"] * torch.inf
            return terms

    model = small(Bad)
    with pytest.raises(ValueError, match="The loss term 'uniformity' stopped .* epoch 3"):
        model.fit(X)
    assert model.partial_fit(X).n_iter_ == 3  # and training can go on


@having("lr")
def test_loss_that_is_never_finite_leaves_the_estimator_as_it_was(cls):
    model = small(cls).fit(X)
    codes = model.transform(X)
    with pytest.raises(ValueError, match="in epoch 1"):
        model.set_params(lr=1e30).fit(X * 1e3)
    np.testing.assert_array_equal(model.transform(X), codes)
    fresh = small(cls, lr=1e30)
    with pytest.raises(ValueError, match="in epoch 1"):
        fresh.fit(X * 1e3)
    assert not hasattr(fresh, "net_") and not hasattr(fresh, "n_features_in_")


def test_rare_pixels_are_no_columns_of_another_scale():
    rows = np.random.RandomState(0).uniform(size=(4000, 3))
    rows[:, 2] = np.arange(4000) == 7
    small(AE, max_epochs=1).fit(np.c_[rows[:, :2], rows[:, 2] / 255])


def test_last_step_that_poisons_the_weights_is_noticed():
    last = At(poison, 3, batch=4)  # 150 rows by 32: after the step of the last batch
    with pytest.raises(ValueError, match="weights"):
        small(AE, callbacks=[last]).fit(X)


def test_partial_fit_that_fails_keeps_the_model():
    model = small(AE).fit(X)
    codes = model.transform(X)
    with pytest.raises(ValueError, match="epoch 4"):
        model.partial_fit(X * 1e30)  # its square is beyond float32
    with pytest.raises(ValueError, match="too large for dtype='float32'"):
        model.partial_fit(X * 1e38)
    np.testing.assert_array_equal(model.transform(X), codes)
    assert model.n_iter_ == 3
    model.partial_fit(X)


def test_failing_callback_leaves_the_estimator_as_it_was():
    model = small(AE, callbacks=[At(fail, 2)])
    with pytest.raises(RuntimeError, match="a callback failed"):
        model.fit(X)
    assert not hasattr(model, "net_")


# ----------------------------------------------------------------------------------- callbacks
def test_skorch_callbacks_run_and_are_copied():
    schedule = LRScheduler(policy=torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.1)
    model = small(AE, callbacks=[schedule, GradientNormClipping(1.0)]).fit(X)
    rates = [row["event_lr"] for row in model.net_.history]
    np.testing.assert_allclose(rates, [1e-3, 1e-4, 1e-5])
    assert not hasattr(schedule, "lr_scheduler_")


def test_skorchs_own_early_stopping_is_not_ctrl_c():
    stop = EarlyStopping(monitor="train_loss", patience=2, threshold=10.0, threshold_mode="abs")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = small(AE, max_epochs=50, callbacks=[stop]).fit(X)
    assert model.n_iter_ < 50


def test_a_monitor_of_validation_without_validation():
    with pytest.raises(ValueError, match="set early_stopping=True"):
        small(AE, callbacks=[EarlyStopping()]).fit(X)
    assert small(AE, callbacks=[EarlyStopping()], early_stopping=True).fit(X).n_iter_ == 3


def test_skorchs_scoring_callbacks():
    def spread(net, X, y=None):
        return net.module_.encode(X.X).std().item()  # skorch hands the data set over

    score = EpochScoring(spread, use_caching=False, on_train=True, name="spread")
    model = small(AE, callbacks=[score], early_stopping=True).fit(X)
    assert all(row["spread"] > 0 for row in model.net_.history)


def test_fused_only_where_nothing_else_was_asked_for():
    assert small(AE).fit(X).net_.optimizer_.defaults["fused"]
    foreach = small(AE, net_params={"optimizer__foreach": True}).fit(X)
    assert not foreach.net_.optimizer_.defaults["fused"]


def test_net_params_reach_skorch():
    model = small(AE, net_params={"optimizer__weight_decay": 0.25}).fit(X)
    assert model.net_.optimizer_.param_groups[0]["weight_decay"] == 0.25
    plain = small(AE).fit(X)
    norms = [sum(p.square().sum() for p in m.net_.module_.parameters()) for m in (model, plain)]
    assert norms[0] < norms[1]


@pytest.mark.parametrize(
    "optimizer,lr",
    [(torch.optim.SGD, 1e-3), (torch.optim.RMSprop, 1e-3), (torch.optim.LBFGS, 0.1)],
)
def test_other_optimizers(optimizer, lr):
    model = small(AE, optimizer=optimizer, lr=lr, max_epochs=5, batch_size=150).fit(X)
    assert model.history_["loss"].iloc[-1] < model.history_["loss"].iloc[0]


def test_scikit_learn_callbacks_hear_of_every_epoch():
    callback = pytest.importorskip("sklearn.callback", reason="scikit-learn < 1.9")

    class Count(callback.FitCallback if isinstance(callback.FitCallback, type) else object):
        begun = ended = down = 0

        def setup(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context, **kwargs):
            type(self).begun += context.task_name == "epoch"

        def on_fit_task_end(self, estimator, context, **kwargs):
            type(self).ended += context.task_name == "epoch"

        def teardown(self, estimator, context):
            type(self).down += 1

    small(AE).set_callbacks(Count()).fit(X)
    assert (Count.begun, Count.ended, Count.down) == (3, 3, 1)


# ------------------------------------------------------------------------------------- output
def test_quiet_by_default(capfd):
    small(AE, early_stopping=True).fit(X).sample(2, 0)
    assert capfd.readouterr() == ("", "")


def test_a_bar_at_1_and_lines_at_2(capfd):
    small(AE, verbose=1).fit(X)
    assert "AE" in (bar := capfd.readouterr().err) and "loss=" in bar
    small(AE, verbose=2).fit(X)
    lines = capfd.readouterr().out.splitlines()
    assert "train_loss" in lines[0] and len(lines) == 5


def test_fit_writes_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small(AE, early_stopping=True).fit(X)
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------------- threads and processes
def _codes(cls, seed=0):
    torch.set_num_threads(1)
    return small(cls, random_state=seed).fit(X).sample(50, random_state=0).tobytes()


@pytest.mark.parametrize("cls", [GrassmannAE, LISAGenerator, VAEGenerator], ids=name)
def test_threads_and_processes_give_the_same_bytes(cls):
    alone = [_codes(cls, seed) for seed in range(4)]
    state = torch.get_rng_state()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda seed: _codes(cls, seed), range(4))) == alone
    assert torch.equal(torch.get_rng_state(), state)
    processes = joblib.Parallel(n_jobs=2)(joblib.delayed(_codes)(cls, s) for s in range(4))
    assert processes == alone


@every
def test_other_threads_that_draw_do_not_matter(cls):
    alone, stop = _codes(cls), threading.Event()

    def draw():
        while not stop.is_set():
            torch.rand(10)

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        assert all(_codes(cls) == alone for _ in range(3))
    finally:
        stop.set(), thread.join()


def test_dropout_in_threads_is_seeded():
    def codes(seed):
        def own(n_in, n_out):
            return torch.nn.Sequential(torch.nn.Linear(n_in, n_out), torch.nn.Dropout(0.5))

        return small(AE, encoder=own, random_state=seed).fit(X).transform(X).tobytes()

    alone = [codes(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(codes, range(4))) == alone


def test_fitted_model_serves_threads():
    model = small(VAEGenerator).fit(X)
    wanted = model.sample(100, random_state=0)
    failures = []

    def work():
        if not np.array_equal(model.sample(100, random_state=0), wanted):
            failures.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert not failures


# ---------------------------------------------------------------------------------------- CUDA
@pytest.mark.cuda
@every
def test_cuda(cls):
    state, cuda_state = torch.get_rng_state(), torch.cuda.get_rng_state()
    model = small(cls, device="cuda").fit(X)
    again = small(cls, device="cuda").fit(X)
    assert model.device_.type == "cuda"
    assert next(model.net_.module_.parameters()).is_cuda
    np.testing.assert_array_equal(model.sample(9, 0), again.sample(9, 0))
    on_cpu = small(cls, device="cpu").fit(X)  # the same start, the same order of rows
    np.testing.assert_allclose(
        model.history_["recon"].iloc[0], on_cpu.history_["recon"].iloc[0], rtol=0.1
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(torch.cuda.get_rng_state(), cuda_state)
    model.partial_fit(X)


@pytest.mark.cuda
@every
def test_only_the_net_lives_on_the_gpu(cls, monkeypatch):
    model = small(cls, device="cuda").fit(X)
    rows = model.sample(5, random_state=0)
    pickled = pickle.dumps(model)
    sampler = pickle.dumps(model.sampler_)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    pickle.loads(sampler)
    with pytest.warns(Warning, match="CUDA"):
        moved = pickle.loads(pickled)
    assert moved.device_.type == "cpu"
    np.testing.assert_allclose(moved.sample(5, random_state=0), rows, rtol=1e-3, atol=1e-3)
    copy.deepcopy(moved)
