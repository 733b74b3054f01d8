"""The masked autoencoder that pretrains Hiera (arXiv 2306.00989, section 4 and appendix A).

Masked mask units are deleted before the first block, so that the encoder pays only for what is
visible; the decoder reads a fusion of all stages and predicts the normalised pixels of the rest.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from hiera_cli.errors import UsageError
from hiera_cli.model.block import Block
from hiera_cli.model.block_plan import BlockPlan
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.hiera import Encoder, initialise_positions
from hiera_cli.model.masking import gather_rows, random_mask, scatter_rows, true_at, true_indices
from hiera_cli.model.tokens import TokenGrid, reroll


class MaskedAutoencoder(Encoder):
    """Encoder of the visible mask units, multi-scale fusion and decoder of the masked ones.

    Args:
        config: the shape of the network (`HieraConfig.for_pretraining`).
        decoder_embed_dim, decoder_depth, decoder_num_heads: shape of the decoder.
    """

    def __init__(
        self,
        config: HieraConfig,
        decoder_embed_dim: int = 512,
        decoder_depth: int = 8,
        decoder_num_heads: int = 16,
    ) -> None:
        super().__init__(config)
        plans = config.blocks()
        dim = plans[-1].dim_out
        self.encoder_norm = nn.LayerNorm(dim, eps=config.norm_eps)
        self.multi_scale_fusion_heads = nn.ModuleList()
        for grid, end in zip(self.stage_grids[: config.q_pool], self.stage_ends, strict=False):
            self.multi_scale_fusion_heads.append(self._fusion_head(grid, plans[end].dim_out, dim))
        self.decoder_embed = nn.Linear(dim, decoder_embed_dim)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, decoder_embed_dim))
        num_tokens = math.prod(self.final_grid.size)
        self.decoder_pos_embed = nn.Parameter(torch.zeros(1, num_tokens, decoder_embed_dim))
        plan = BlockPlan(
            dim=decoder_embed_dim,
            dim_out=decoder_embed_dim,
            num_heads=decoder_num_heads,
            hidden_dim=int(decoder_embed_dim * config.mlp_ratio),
        )
        self.decoder_blocks = nn.ModuleList(
            Block(plan, norm_eps=config.norm_eps) for _ in range(decoder_depth)
        )
        self.decoder_norm = nn.LayerNorm(decoder_embed_dim, eps=config.norm_eps)
        self.decoder_pred = nn.Linear(decoder_embed_dim, self.patch_size**2 * config.in_chans)
        self._initialise()

    @property
    def final_grid(self) -> TokenGrid:
        """The tokens that the decoder works on."""
        return self.stage_grids[-1]

    @property
    def patch_size(self) -> int:
        """Side of the square that one decoder token predicts, in pixels."""
        return self.config.patch_stride[-1] * int(self.config.q_stride[-1] ** self.config.q_pool)

    @property
    def frame_step(self) -> int:
        """The decoder predicts every Nth frame, the first one of each token."""
        if not self.config.is_video:
            return 1
        return self.config.patch_stride[0] * int(self.config.q_stride[0] ** self.config.q_pool)

    def _fusion_head(self, grid: TokenGrid, dim: int, dim_out: int) -> nn.Module:
        sizes = zip(grid.unit_size, self.final_grid.unit_size, strict=True)
        kernel = tuple(unit // final for unit, final in sizes)
        conv: Callable[..., nn.Module] = nn.Conv3d if self.config.is_video else nn.Conv2d
        return conv(dim, dim_out, kernel_size=kernel, stride=kernel)

    def forward(
        self,
        x: Tensor,
        mask_ratio: float = 0.9,
        mask: Tensor | None = None,
        *,
        visible: Tensor | None = None,
        generator: Generator | None = None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Mean squared error of the predicted pixels of the masked patches.

        With `visible` no shape depends on a value and the host never waits for the device, so
        that a step can be captured in a CUDA graph: that is what training gives. The loss is a
        plain mean of what was gathered, because equally much is masked in each clip.

        Args:
            x: (B, 3, T, H, W) or (B, 3, H, W), normalised float.
            mask_ratio: share of the mask units that is masked, where they are drawn here.
            mask: (B, M) bool, True is visible, equally many in each row.
            visible: instead of a mask, (B, n) int64 indices of the visible units, ascending.
            generator: for the mask.

        Returns:
            loss (), predictions and labels (n, patch pixels) of the masked patches of all
            samples, normalised per patch, and the mask (B, M).
        """
        num_units = self.grid.num_units
        if visible is None:
            if mask is None:
                visible = self._draw(x, mask_ratio, generator)
            else:
                visible = true_indices(mask, self.count_visible(mask))
        mask = true_at(visible, num_units)
        latent = self.forward_encoder(x, visible)
        masked = self.tokens_in(~mask, num_units - visible.shape[1])
        predictions = self.forward_decoder(latent, visible, masked)
        labels, _, _ = normalise_patches(gather_rows(self.patches(x), masked).flatten(0, 1))
        return F.mse_loss(predictions, labels), predictions, labels, mask

    def _draw(self, x: Tensor, mask_ratio: float, generator: Generator | None) -> Tensor:
        """Visible units (B, n) of as many clips."""
        num_units = self.grid.num_units
        mask = random_mask(
            len(x), num_units, mask_ratio=mask_ratio, generator=generator, device=x.device
        )
        return true_indices(mask, int(num_units * (1 - mask_ratio)))

    def count_visible(self, mask: Tensor) -> int:
        """Visible units in each row of a mask (B, M).

        Raises:
            UsageError: none, not equally many, or not one mask unit a column.
        """
        counts = set(mask.sum(dim=1).tolist())
        if mask.shape[1] != self.grid.num_units or len(counts) != 1 or 0 in counts:
            raise UsageError(
                f"mask of shape {tuple(mask.shape)} with {sorted(counts)} visible units a row",
                hint=f"give (B, {self.grid.num_units}) with equally many visible in each row",
            )
        return int(counts.pop())

    def forward_encoder(self, x: Tensor, visible: Tensor) -> Tensor:
        """Fused, normalised tokens of the visible units (B, n): (B, n, U', D), float.

        Hidden pixels are 0 before the patch embedding, as in the official code: its kernels reach
        beyond their unit (7 pixels at a stride of 4; 5 frames over units of 2 in camera-motion),
        but find nothing there except what other visible units show.
        """
        mask = true_at(visible, self.grid.num_units)
        units = mask.view(-1, 1, *self.grid.units).to(x.dtype)
        pixels = x * F.interpolate(units, size=x.shape[2:])
        ends = self.encode(gather_rows(self.embed(pixels), visible))
        fused = ends[-1]
        for head, tokens, grid in zip(
            self.multi_scale_fusion_heads, ends, self.stage_grids, strict=False
        ):
            fused = fused + self._fuse(head, tokens, grid)
        normed: Tensor = self.encoder_norm(fused)
        return normed

    def _fuse(self, head: nn.Module, tokens: Tensor, grid: TokenGrid) -> Tensor:
        """Bring a stage's tokens (B, n, U, C) to the last stage's shape (B, n, U', D)."""
        unit = TokenGrid(units=(1,) * len(grid.units), digits=grid.digits)
        maps = reroll(tokens.flatten(0, 1).unsqueeze(1), unit).movedim(-1, 1)
        fused: Tensor = head(maps).flatten(2).transpose(1, 2)
        return fused.reshape(*tokens.shape[:2], *fused.shape[1:])

    def tokens_in(self, units: Tensor, num_units: int) -> Tensor:
        """Raster indices (B, n) of the decoder's tokens that lie in some mask units.

        Args:
            units: (B, M) bool.
            num_units: how many of them are True in each row.
        """
        per_unit = math.prod(self.final_grid.unit_size)
        chosen = units[:, :, None, None].expand(-1, -1, per_unit, 1)
        raster = reroll(chosen, self.final_grid).flatten(1)
        return true_indices(raster, num_units * per_unit)

    def forward_decoder(self, latent: Tensor, visible: Tensor, masked: Tensor) -> Tensor:
        """Predicted pixels of the masked tokens: (B * n, patch pixels), float.

        Args:
            latent: (B, n, U', D) of the encoder.
            visible: (B, n) its mask units.
            masked: (B, n') raster indices of the tokens to predict.
        """
        embedded = self.decoder_embed(latent)
        num_units, per_unit = self.grid.num_units, latent.shape[2]
        tokens = self.mask_token.to(embedded.dtype).expand(len(latent), num_units, per_unit, -1)
        tokens = scatter_rows(tokens, visible, embedded)
        x = reroll(tokens, self.final_grid).flatten(1, -2) + self.decoder_pos_embed
        x = x.unsqueeze(1)
        for block in self.decoder_blocks:
            x = block(x)
        x = self.decoder_norm(gather_rows(x.squeeze(1), masked))
        predictions: Tensor = self.decoder_pred(x)
        return predictions.flatten(0, 1)

    def patches(self, x: Tensor) -> Tensor:
        """The pixels that the decoder's tokens stand for: (B, N, patch pixels), raster order.

        A video patch is (row, column, channel) of one frame, an image patch (channel, row,
        column): the order in which the official checkpoints were trained.
        """
        size = self.patch_size
        if not self.config.is_video:
            squares = x.unfold(2, size, size).unfold(3, size, size)
            return squares.movedim(1, 3).flatten(3).flatten(1, 2)
        frames = x[:, :, :: self.frame_step].unfold(3, size, size).unfold(4, size, size)
        return frames.movedim(1, -1).flatten(4).flatten(1, 3)

    def _unpatch(self, patches: Tensor) -> Tensor:
        """The inverse of `patches`: (B, N, patch pixels) to (B, 3, *pixels of those frames)."""
        size, channels = self.patch_size, self.config.in_chans
        *frames, rows, columns = self.final_grid.size
        if not frames:
            x = patches.reshape(-1, rows, columns, channels, size, size)
            return x.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)
        x = patches.reshape(-1, *frames, rows, columns, size, size, channels)
        return x.permute(0, 6, 1, 2, 4, 3, 5).flatten(5).flatten(3, 4)

    @torch.no_grad()
    def reconstruct(self, x: Tensor, predictions: Tensor, mask: Tensor) -> Tensor:
        """The picture with its masked patches as predicted, for looking at.

        Each predicted patch gets the mean and deviation of the true one, because that is all the
        network was asked for (targets are normalised per patch).

        Args:
            x: the input of `forward`.
            predictions: of the masked patches, as `forward` returns them.
            mask: as `forward` returns it.

        Returns:
            (B, 3, T', H, W) or (B, 3, H, W), normalised float; of a video every `frame_step`-th
            frame.
        """
        masked = self.tokens_in(~mask, self.grid.num_units - self.count_visible(mask))
        patches = self.patches(x).contiguous()
        _, mean, deviation = normalise_patches(gather_rows(patches, masked))
        pixels = predictions.view(*masked.shape, -1) * deviation + mean
        return self._unpatch(scatter_rows(patches, masked, pixels.to(patches.dtype)))

    @torch.no_grad()
    def _initialise(self) -> None:
        """As the official code: Xavier weights, zero biases, truncated normal embeddings."""
        initialise_positions(self)
        nn.init.trunc_normal_(self.mask_token, std=0.02)
        nn.init.trunc_normal_(self.decoder_pos_embed, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        patch_weight = self.patch_embed.proj.get_parameter("weight")
        nn.init.xavier_uniform_(patch_weight.view(patch_weight.shape[0], -1))


def normalise_patches(patches: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Zero mean, unit variance: (..., P) to the same, with mean and deviation (..., 1)."""
    mean = patches.mean(dim=-1, keepdim=True)
    deviation = (patches.var(dim=-1, keepdim=True) + 1e-6).sqrt()
    return (patches - mean) / deviation, mean, deviation
