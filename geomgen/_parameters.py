"""The parameters that every estimator has."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from sklearn.base import BaseEstimator

from geomgen._callbacks import CallbackSupportMixin
from geomgen._fields import Count, Fraction, Interval, NonNegative, Positive, estimator

__all__ = ["Parameters"]


@estimator
class Parameters(CallbackSupportMixin, BaseEstimator):
    """Of the networks, of their training, and of where and how it is computed."""

    n_components: Annotated[Count, "Dimension d of the codes; it may exceed the features'."] = 8
    hidden: Annotated[
        tuple[Count, ...], "Widths of the encoder's hidden layers; the decoder mirrors them."
    ] = (256, 128)
    activation: Annotated[
        Literal["relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "tanh"],
        "Activation between linear layers.",
    ] = "silu"
    norm: Annotated[Literal["batch", "layer"] | None, "Normalisation before each activation."] = (
        None
    )
    image_shape: Annotated[
        tuple[Count, ...] | None,
        """Of rows that are images: (channels, height, width), (height, width, channels) or
        (height, width). Rows stay flat, X of shape (n_samples, n_features); those that come back
        have the same layout. The channels are the end that is 1 or 3, or else 4.""",
    ] = None
    architecture: Annotated[
        Literal["auto", "mlp", "conv", "resnet"],
        """Kind of the networks: fully connected; for images, strided 4 x 4 convolutions and
        their mirror (after Ghosh et al., 2020), or residual blocks of them. ``"auto"`` is
        ``"conv"`` where there is image_shape, ``"mlp"`` otherwise.""",
    ] = "auto"
    channels: Annotated[
        tuple[Count, ...],
        """Channels after each of the levels that halve an image, in place of hidden; the decoder
        mirrors them.""",
    ] = (32, 64, 128)
    feature_blocks: Annotated[
        list | None,
        """Kinds of the features, in their order: pairs of ``"gaussian"``, ``"bernoulli"`` or
        ``"categorical"`` (the one-hot columns of one variable) and a number of features, such as
        ``[("gaussian", 6), ("categorical", 3)]``; ``"embedding"`` is for points that stand for
        categories, Gaussian but without residual noise. The decoder then gives means and
        probabilities, and reconstruction is minus a log-likelihood where the squared error does
        not suit.""",
    ] = None
    encoder: Annotated[
        Any,
        """An encoder network of your own: a module, which is copied, or a callable
        ``(n_inputs, n_outputs) -> module``; in place of architecture, activation and norm. A fitted
        estimator can be pickled if the callable can be imported: no lambda.""",
    ] = None
    decoder: Annotated[Any, "A decoder network of your own, likewise."] = None
    reduction: Annotated[
        Literal["sum", "mean"],
        """What is done with the squared error over features (it is averaged over rows): with the
        mean, every weight beside it counts n_features times as much.""",
    ] = "sum"
    max_epochs: Annotated[Count, "Passes over the rows."] = 100
    batch_size: Annotated[Count, "Rows a step; a last batch of one row joins the one before."] = 128
    lr: Annotated[Positive, "Learning rate."] = 1e-3
    optimizer: Annotated[type, "Class of the optimizer."] = torch.optim.Adam
    augment: Annotated[
        Any,
        """A function ``(rows, generator) -> rows`` applied to every batch of training, which is
        also what is to be reconstructed: such as ``geomgen.nn.RandomShift((28, 28))``. It must
        be importable, and draw from the generator.""",
    ] = None
    precision: Annotated[
        Literal["full", "bf16"],
        """``"bf16"`` runs the networks in bfloat16 in training; weights, losses and whatever is
        done after training stay in dtype.""",
    ] = "full"
    compile: Annotated[bool, "Whether to train with networks that torch.compile has compiled."] = (
        False
    )
    early_stopping: Annotated[
        bool, "Whether to hold out rows and stop when their loss no longer falls."
    ] = False
    validation_fraction: Annotated[Fraction, "Share of the rows held out to stop early."] = 0.1
    n_iter_no_change: Annotated[Count, "Epochs without improvement before stopping early."] = 10
    tol: Annotated[NonNegative, "Least fall of the held-out loss that counts."] = 1e-4
    warm_start: Annotated[bool, "Whether fit goes on from the weights of the last fit."] = False
    dtype: Annotated[
        Literal["float32", "float64", "auto"],
        "Of computation and of output; ``auto`` takes that of X if it is one of the two.",
    ] = "float32"
    device: Annotated[
        str | torch.device,
        "Where to compute: ``auto`` takes a CUDA device if there is one; or torch's names.",
    ] = "auto"
    extra_terms: Annotated[
        dict | None,
        """Terms of your own, added to the loss: ``{name: (weight, function)}``, the function
        ``(model, x, z, generator) -> scalar tensor`` of the torch model, a batch of rows, the
        codes that it decodes (of a variational model, draws), and a generator to draw from. It
        must be importable: no lambda.""",
    ] = None
    callbacks: Annotated[list | None, "skorch callbacks; they are copied."] = None
    net_params: Annotated[
        dict | None,
        """Parameters of optimizer and callbacks, with skorch's names:
        ``{"optimizer__weight_decay": 1e-4}``.""",
    ] = None
    random_state: Annotated[
        Any, "Seed of weights, batches, noise and sampler; None takes numpy's global state."
    ] = None
    verbose: Annotated[
        Annotated[int, Interval(0)] | bool, "1 shows a progress bar, 2 a line an epoch."
    ] = 0
