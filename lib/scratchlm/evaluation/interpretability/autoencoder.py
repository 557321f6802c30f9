"""A sparse autoencoder: a stream as a sum of few of many directions."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from scratchlm.evaluation.interpretability.hooks import replace


class TopKAutoencoder(nn.Module):
    """Keeps the k largest of its latents, and sets the others to zero.

    Args:
        d_model: width D of what it reads.
        n_latents: directions M.
        k: latents that are kept for each item.

    Raises:
        ValueError: k is not between 1 and M.

    Source: Gao et al. 2024, "Scaling and Evaluating Sparse Autoencoders",
    sec. 2.
    """

    def __init__(self, d_model: int, n_latents: int, k: int):
        super().__init__()
        if not 1 <= k <= n_latents:
            raise ValueError(f"k is {k}; give 1 to {n_latents}, the latents")
        self.k = k
        self.centre = nn.Parameter(torch.zeros(d_model))
        directions = F.normalize(torch.randn(n_latents, d_model), dim=1)
        self.encoder = nn.Linear(d_model, n_latents)
        self.encoder.weight.data.copy_(directions)
        nn.init.zeros_(self.encoder.bias)
        self.directions = nn.Parameter(directions.clone())

    def before(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B M"]:
        """Return the latents before any is set to zero."""
        latents: Tensor = self.encoder(x - self.centre)
        return latents

    def encode(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B M"]:
        """Return the latents, of which at most k are above zero."""
        return largest(self.before(x), self.k)

    def decode(self, latents: Float[Tensor, "*B M"]) -> Float[Tensor, "*B D"]:
        """Return the sum of the directions that the latents name."""
        return latents @ self.directions + self.centre

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """Return what is left of ``x`` when k latents have to say it."""
        return self.decode(self.encode(x))


@torch.no_grad()
def rescaled(model: TopKAutoencoder, scale: float) -> TopKAutoencoder:
    """Return an autoencoder of activations that are longer by a factor.

    Args:
        model: of the activations over the scale.
        scale: the factor.
    """
    n_latents, d_model = model.directions.shape
    longer = TopKAutoencoder(d_model, n_latents, model.k)
    longer.load_state_dict(model.state_dict())
    longer.centre.mul_(scale)
    longer.encoder.bias.mul_(scale)
    return longer.requires_grad_(False)


def largest(values: Float[Tensor, "*B M"], k: int) -> Float[Tensor, "*B M"]:
    """Return values of which all but the k largest, and none below 0, are 0.

    Args:
        values: in rows.
        k: how many of a row to keep.
    """
    kept, where = values.topk(k, -1)
    return torch.zeros_like(values).scatter(-1, where, kept.relu())


def train_autoencoder(  # noqa: PLR0913
    x: Float[Tensor, "n D"],
    *,
    n_latents: int,
    k: int,
    n_steps: int,
    batch: int = 512,
    learning_rate: float = 2e-3,
    dead_after: int = 100,
    aux: float = 1 / 32,
    seed: int = 0,
) -> TopKAutoencoder:
    """Fit an autoencoder to activations.

    Latents that have not been used for a while get a second loss: they have
    to say what the others missed.

    Args:
        x: activations, of mean squared length about D.
        n_latents: directions M.
        k: latents that are kept for each item.
        n_steps: steps of Adam.
        batch: items of a step.
        learning_rate: of these; it falls to zero along a line.
        dead_after: steps without use after which a latent counts as dead.
        aux: weight of the second loss.
        seed: of weights and batches.

    Raises:
        ValueError: k is not between 1 and M, or there are no steps.

    Source: Gao et al. 2024, sec. 2.4 and appendix A.
    """
    if n_steps < 1:
        raise ValueError(f"{n_steps} steps; use at least 1")
    torch.manual_seed(seed)
    model = TopKAutoencoder(x.shape[1], n_latents, k)
    model.centre.data.copy_(x.mean(0))
    adam = torch.optim.Adam(model.parameters(), learning_rate)
    unused = torch.zeros(n_latents)
    for step in tqdm(range(n_steps), "autoencoder", leave=False, disable=None):
        some = x[torch.randint(len(x), (batch,))]
        loss, used = _loss(model, some, unused > dead_after, aux)
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for group in adam.param_groups:
            group["lr"] = learning_rate * (1 - step / n_steps)
        adam.step()
        unused = torch.where(used, 0.0, unused + 1)
        with torch.no_grad():
            model.directions.copy_(F.normalize(model.directions, dim=1))
    return model.requires_grad_(False)


def _loss(
    model: TopKAutoencoder, x: Tensor, dead: Tensor, aux: float
) -> tuple[Tensor, Tensor]:
    """Return the loss of a batch, and which latents it used."""
    before = model.before(x)
    latents = largest(before, model.k)
    missed = x - model.decode(latents)
    spread = (x - x.mean(0)).square().sum()
    loss = missed.square().sum() / spread
    n_dead = int(dead.sum())
    if n_dead:
        rest = largest(before[:, dead], min(n_dead, x.shape[1] // 2))
        said = rest @ model.directions[dead]
        loss = loss + aux * (missed.detach() - said).square().sum() / (
            missed.detach().square().sum()
        )
    return loss, (latents > 0).any(0)


@torch.no_grad()
def unexplained(
    model: TopKAutoencoder, x: Float[Tensor, "n D"]
) -> Float[Tensor, " n"]:
    """Return the squared error of each item over the mean spread of all.

    Its mean is the share of the variance that the autoencoder misses.

    Args:
        model: trained on other items.
        x: activations.
    """
    spread = (x - x.mean(0)).square().sum(-1).mean()
    return (x - model(x)).square().sum(-1) / spread


@torch.no_grad()
def dead_latents(
    model: TopKAutoencoder, x: Float[Tensor, "n D"]
) -> Bool[Tensor, " M"]:
    """Return which latents no item uses.

    Args:
        model: trained on other items.
        x: activations.
    """
    return ~(model.encode(x) > 0).any(0)


@torch.no_grad()
def spliced_losses(
    model: Any,
    autoencoder: TopKAutoencoder,
    place: str,
    tokens: Int[Tensor, "B T"],
) -> Float[Tensor, "3 B"]:
    """Return what texts cost: as it is, spliced, and with the mean alone.

    The share of the third's excess that the second recovers is the *loss
    recovered*.

    Args:
        model: a transformer.
        autoencoder: of what passes at the place.
        place: the name of a module.
        tokens: of texts of one length.

    Returns:
        Nats per token of each text.
    """

    def cost() -> Tensor:
        logits = model(tokens[:, :-1])
        each = F.cross_entropy(logits.mT, tokens[:, 1:], reduction="none")
        return each.mean(1)

    whole = cost()
    with replace(model, {place: autoencoder.forward}):
        spliced = cost()
    with replace(model, {place: autoencoder.centre.expand_as}):
        gone = cost()
    return torch.stack([whole, spliced, gone])
