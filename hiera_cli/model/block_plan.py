"""One transformer block as plain data."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """One transformer block as plain data.

    Attributes:
        dim, dim_out: width of the tokens that come in and go out.
        num_heads: attention heads.
        hidden_dim: width inside the MLP.
        pool: how many tokens become one (1: no query pooling).
        unit_attention: whether attention stays inside a mask unit.
        drop_path: probability with which a residual branch is left out while training.
        expand_proj: whether the skip path widens by a linear layer.
    """

    dim: int
    dim_out: int
    num_heads: int
    hidden_dim: int
    pool: int = 1
    unit_attention: bool = False
    drop_path: float = 0.0
    expand_proj: bool = True

    @property
    def num_parameters(self) -> int:
        """Weights and biases of the block."""
        attention = (
            self.dim * 3 * self.dim_out + 3 * self.dim_out + self.dim_out * (self.dim_out + 1)
        )
        mlp = 2 * self.dim_out * self.hidden_dim + self.hidden_dim + self.dim_out
        widens = self.dim != self.dim_out and self.expand_proj
        shortcut = (self.dim + 1) * self.dim_out if widens else 0
        return 2 * self.dim + attention + 2 * self.dim_out + mlp + shortcut
