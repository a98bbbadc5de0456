"""The models of strings: each is a model of rows, with sequence networks and a cross entropy."""

from __future__ import annotations

from typing import Annotated, ClassVar

from geomgen._fields import NonNegative, Positive, estimator, fixing
from geomgen.models import GMMDAE, RAE, ConstantVarianceVAE, LISAGenerator, VAEGenerator
from geomgen.sequence._shell import CharacterModel, GrammarModel

__all__ = [
    "CharacterVAE",
    "GrammarConstantVarianceVAE",
    "GrammarGMMDAE",
    "GrammarLISA",
    "GrammarRAE",
    "GrammarVAE",
]


@estimator
@fixing("lam_coverage")
class GrammarLISA(GrammarModel, LISAGenerator):
    r"""LISA over strings: codes on the sphere, decoded by the rules of a grammar.

    .. math:: \mathcal{L} = -\mathbb{E}_x \sum_t \log p(x_t \mid \Pi(E(x)))
       + \lambda \log \frac{1}{N(N-1)} \sum_{i \ne j} e^{-t \|\tilde z_i - \tilde z_j\|^2}

    The probability of a rule is among those of the nonterminal that it expands. X is a list, an
    array or a Series of strings.

    Attributes
    ----------
    grammar_ : Grammar
        The grammar.
    vectorizer_ : GrammarVectorizer
        Makes one-hot rows of strings.
    net_, sampler_, history_, n_iter_, device_, dtype_
        As in :class:`geomgen.AE`.

    References
    ----------
    Paper L (LISA), section 7 and Eqs. 11-14; Kusner et al., 2017, *Grammar variational
    autoencoder*.

    Examples
    --------
    >>> strings = ["sin(x)", "x*2", "exp(x/2)", "1+x"] * 8
    >>> model = GrammarLISA(n_components=3, max_epochs=2, random_state=0).fit(strings)
    >>> model.transform(["x+1", "2*x"]).shape
    (2, 3)
    >>> bool(model.grammar_.valid(model.grammar_.parse(model.sample(5, random_state=0))).all())
    True
    """

    lam: Annotated[NonNegative, "Weight λ of the repulsion (Eq. 14)."] = 0.1

    _paper: ClassVar[str] = "Paper L (LISA)"
    _equation: ClassVar[str] = "section 7"
    _structure: ClassVar[tuple[str, ...]] = (*LISAGenerator._structure, "grammar")


@estimator
@fixing("likelihood", "sigma")
class GrammarVAE(GrammarModel, VAEGenerator):
    r"""GVAE: a VAE over the derivations of strings.

    .. math:: \mathcal{L} = -\mathbb{E}_{q(z|x)} \sum_t \log p(x_t \mid z)
       + \beta\, \mathrm{KL}(q(z|x) \,\|\, N(0, I))

    The probability of a rule is among those of the nonterminal that it expands. X is a list, an
    array or a Series of strings.

    Attributes
    ----------
    grammar_, vectorizer_
        As in :class:`GrammarLISA`.
    net_, sampler_, history_, n_iter_, device_, dtype_
        As in :class:`geomgen.AE`.

    References
    ----------
    Kusner et al., 2017, *Grammar variational autoencoder*, section 3. Its authors' code averages
    the divergence over components, which is β = 1 / n_components.

    Examples
    --------
    >>> strings = ["sin(x)", "x*2", "exp(x/2)", "1+x"] * 8
    >>> model = GrammarVAE(n_components=3, max_epochs=2, random_state=0).fit(strings)
    >>> model.history_.columns.tolist()
    ['loss', 'recon', 'kl', 'seconds']
    """

    beta: Annotated[NonNegative, "Weight β of the Kullback-Leibler term."] = 0.04

    _paper: ClassVar[str] = "Kusner et al., 2017"
    _equation: ClassVar[str] = "section 3"
    _structure: ClassVar[tuple[str, ...]] = (*VAEGenerator._structure, "grammar")


@estimator
@fixing("likelihood", "sigma")
class CharacterVAE(CharacterModel, VAEGenerator):
    r"""CVAE: a VAE over the characters of strings.

    .. math:: \mathcal{L} = -\mathbb{E}_{q(z|x)} \sum_t \log p(x_t \mid z)
       + \beta\, \mathrm{KL}(q(z|x) \,\|\, N(0, I))

    It knows no grammar, and what it decodes may be no word of the language. X is a list, an array
    or a Series of strings.

    Attributes
    ----------
    charset_ : str
        The characters.
    vectorizer_ : CharacterVectorizer
        Makes one-hot rows of strings.
    net_, sampler_, history_, n_iter_, device_, dtype_
        As in :class:`geomgen.AE`.

    References
    ----------
    Gómez-Bombarelli et al., 2018, *Automatic chemical design using a data-driven continuous
    representation of molecules*, Fig. 1.

    Examples
    --------
    >>> strings = ["Zürich", "Genève", "Basel", "Bern"] * 8
    >>> model = CharacterVAE(n_components=3, max_epochs=2, random_state=0).fit(strings)
    >>> model.sample(3, random_state=0).shape
    (3,)
    """

    beta: Annotated[NonNegative, "Weight β of the Kullback-Leibler term."] = 0.04

    _paper: ClassVar[str] = "Gómez-Bombarelli et al., 2018"
    _equation: ClassVar[str] = "Fig. 1"
    _structure: ClassVar[tuple[str, ...]] = (*VAEGenerator._structure, "charset", "max_length")


@estimator
@fixing("likelihood", "sigma")
class GrammarConstantVarianceVAE(GrammarModel, ConstantVarianceVAE):
    r"""GCVVAE: codes of derivations, with noise of one size.

    .. math:: \mathcal{L} = -\mathbb{E}_{\epsilon \sim N(0, I)}
       \sum_t \log p(x_t \mid \mu(x) + s \epsilon) + \frac{\beta}{2} \|\mu(x)\|^2 + \text{const}

    X is a list, an array or a Series of strings.

    Attributes
    ----------
    grammar_, vectorizer_
        As in :class:`GrammarLISA`.
    net_, sampler_, history_, n_iter_, device_, dtype_
        As in :class:`geomgen.AE`.

    References
    ----------
    Ghosh et al., 2020, *From variational to deterministic autoencoders*, section 3.

    Examples
    --------
    >>> strings = ["sin(x)", "x*2", "exp(x/2)", "1+x"] * 8
    >>> model = GrammarConstantVarianceVAE(n_components=3, max_epochs=2, random_state=0)
    >>> model.fit(strings).history_.columns.tolist()
    ['loss', 'recon', 'kl', 'seconds']
    """

    beta: Annotated[NonNegative, "Weight β of the Kullback-Leibler term."] = 0.04
    noise: Annotated[Positive, "Standard deviation s of every posterior."] = 0.1

    _paper: ClassVar[str] = "Ghosh et al., 2020"
    _equation: ClassVar[str] = "section 3"
    _structure: ClassVar[tuple[str, ...]] = (*ConstantVarianceVAE._structure, "grammar")


@estimator
class GrammarRAE(GrammarModel, RAE):
    r"""GRAE: an autoencoder of derivations with small codes and a smooth decoder.

    .. math:: \mathcal{L} = -\mathbb{E}_x \sum_t \log p(x_t \mid E(x))
       + \frac{\beta}{2}\, \mathbb{E}_x \|E(x)\|^2 + \lambda\, \mathcal{L}_\mathrm{reg}(D)

    The last term is as :class:`geomgen.RAE` has it; the Jacobian of ``penalty="gp"`` is that of
    the probabilities. X is a list, an array or a Series of strings.

    Attributes
    ----------
    grammar_, vectorizer_
        As in :class:`GrammarLISA`.
    net_, sampler_, history_, n_iter_, device_, dtype_
        As in :class:`geomgen.AE`.

    References
    ----------
    Ghosh et al., 2020, *From variational to deterministic autoencoders*, Eq. 11 and section 3.

    Examples
    --------
    >>> strings = ["sin(x)", "x*2", "exp(x/2)", "1+x"] * 8
    >>> model = GrammarRAE(n_components=3, max_epochs=2, random_state=0).fit(strings)
    >>> model.history_.columns.tolist()
    ['loss', 'recon', 'latent', 'decoder', 'seconds']
    """

    _paper: ClassVar[str] = "Ghosh et al., 2020"
    _equation: ClassVar[str] = "Eq. 11"
    _structure: ClassVar[tuple[str, ...]] = (*RAE._structure, "grammar")


@estimator
class GrammarGMMDAE(GrammarModel, GMMDAE):
    r"""G-GMM-DAE: codes of derivations, spread as a Gaussian mixture.

    .. math:: \mathcal{L} = -\mathbb{E}_x \sum_t \log p(x_t \mid E(x)) + \lambda \bigg(
       \frac{1}{w_1 N d} \sum_{ij} \Big(F_j(z_{(i)j}) - \frac{i}{N}\Big)^2
       + \frac{1}{w_2 d^2} \|\hat\Sigma - \Sigma\|_F^2 \bigg)

    The terms of the codes are those of :class:`geomgen.GMMDAE`. X is a list, an array or a Series
    of strings.

    Attributes
    ----------
    grammar_, vectorizer_
        As in :class:`GrammarLISA`.
    net_, sampler_, history_, n_iter_, device_, dtype_
        As in :class:`geomgen.AE`.

    References
    ----------
    Saseendran et al., 2021, *Shape your space: a Gaussian mixture regularization approach to
    deterministic autoencoders*, section 3.

    Examples
    --------
    >>> strings = ["sin(x)", "x*2", "exp(x/2)", "1+x"] * 8
    >>> model = GrammarGMMDAE(n_components=3, max_epochs=2, random_state=0).fit(strings)
    >>> model.history_.columns.tolist()
    ['loss', 'recon', 'ks', 'covariance', 'seconds']
    """

    _paper: ClassVar[str] = "Saseendran et al., 2021"
    _equation: ClassVar[str] = "section 3"
    _structure: ClassVar[tuple[str, ...]] = (*GMMDAE._structure, "grammar")
