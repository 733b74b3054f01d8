"""What `--help` shows: options under headings, and examples at the end; plain text, for speed."""

from typing import Any

from typer.core import TyperCommand

START = """\
hiera: what happens in videos, with the Hiera network. Start here:
  hiera classify sample_videos -m camera-motion     a bundled model on twelve short videos
  hiera models list                                 the models, and how to get the large ones
  hiera fit DATASET -m MODEL --out my-model         your own classes, from a folder for each
  hiera --help, hiera COMMAND --help                everything else, with examples
"""

HEADINGS = (
    "Input",
    "Model",
    "Sampling",
    "Features",
    "Recipe",
    "Run",
    "Hardware",
    "Limits",
    "Output",
)

# The heading of options that several commands have, or whose command names none.
_HEADING_OF = {
    "annotations": "Input",
    "split": "Input",
    "val": "Input",
    "labels_from": "Input",
    "limit": "Input",
    "seed": "Input",
    "source": "Input",
    "still": "Input",
    "plain": "Input",
    "num": "Input",
    "calibrate": "Input",
    "verify": "Input",
    "num_views": "Input",
    "num_calibration_views": "Input",
    "against": "Model",
    "compare": "Model",
    "model": "Model",
    "int8": "Model",
    "from_scratch": "Model",
    "from_weights": "Model",
    "freeze_backbone": "Model",
    "sampling": "Sampling",
    "crop_mode": "Sampling",
    "symmetries": "Sampling",
    "count": "Sampling",
    "sample": "Sampling",
    "batch_sizes": "Hardware",
    "rounds": "Hardware",
    "training": "Hardware",
    "tolerance": "Limits",
    "rescore": "Output",
    "on_existing": "Output",
    "rows_per_shard": "Output",
    "top_k": "Output",
    "format": "Output",
    "plot": "Output",
    "preview": "Output",
    "out": "Output",
    "root": "Input",
    "width": "Output",
    "height": "Output",
    "help": "Output",
}

EXAMPLES: dict[str, tuple[str, ...]] = {
    "classify": (
        "hiera classify sample_videos -m camera-motion",
        "hiera classify holiday.mp4 --protocol fast -k 3",
        "hiera classify /data/clips @more.txt -f csv -o answers.csv",
    ),
    "probe": (
        "hiera probe holiday.mp4",
        "hiera probe /data/clips --no-count -f csv -o files.csv",
        "hiera probe wrong-rate.mp4 --assume-fps 25",
    ),
    "extract-features": (
        "hiera extract-features /data/clips --out feats.parquet",
        "hiera extract-features sample_videos -m camera-motion --hop 0.5 -o feats.parquet",
        "hiera extract-features /data/clips --out feats/ --shard 0/4",
    ),
    "merge": (
        "hiera merge feats/ --out all.parquet",
        "hiera merge one.parquet two.parquet --out all.parquet --on-existing overwrite",
    ),
    "verify": (
        "hiera verify feats.parquet",
        "hiera verify feats.parquet --sample 50 --root /new/place/of/the/videos",
    ),
    "eval": (
        "hiera eval sample_videos -m camera-motion --protocol fast --out report",
        "hiera eval /data/kinetics400 --split val --limit 500",
        "hiera eval /data/clips --annotations val.csv -m my-model",
    ),
    "fit": (
        "hiera fit /data/clips -m camera-motion --out my-model",
        "hiera fit train.csv --val val.csv --out my-model",
        "hiera classify new.mp4 -m my-model",
    ),
    "dataset": (
        "hiera dataset /data/clips",
        "hiera dataset /data/clips --html look.html",
        "hiera dataset /data/clips --write-split val=0.2",
    ),
    "timeline": (
        "hiera timeline sample_videos/pan_left/mountains.mp4 -m camera-motion",
        "hiera timeline match.mp4 -f srt -o match.srt",
    ),
    "search": (
        "hiera search feats.parquet --like clip.mp4 -k 10",
        "hiera search feats.parquet --duplicates",
    ),
    "explore": (
        "hiera explore feats.parquet --out map",
        "hiera extract-features /data/clips --out feats.parquet",
    ),
    "detect": (
        "hiera detect street.mp4",
        "hiera detect street.mp4 --annotate drawn.mp4 -o tracks.jsonl",
    ),
    "pretrain": (
        "hiera pretrain /data/clips -m hiera_base_16x224 --out run",
        "hiera pretrain /data/clips --from-weights --preview pictures --out run",
    ),
    "finetune": (
        "hiera finetune /data/clips -m camera-motion --out run",
        "hiera finetune train.csv --val val.csv --out run --epochs 20",
        "hiera classify new.mp4 -m run",
    ),
    "curves": (
        "hiera curves runs/pretrained runs/random --plot curves.png",
        "hiera eval DATASET --split test -m runs/random/0 --out runs/random/0/test",
    ),
    "benchmark": (
        "hiera benchmark -m camera-motion",
        "hiera benchmark /data/clips --batch-sizes 1,2,4 -f json -o speed.json",
        "hiera benchmark --suite gpu --out gpu.json",
        "hiera benchmark /data/clips --plan --videos 650000 --seconds 10 --cores 64",
    ),
    "export": (
        "hiera export camera-motion --format onnx",
        "hiera export hiera_base_16x224 --format openvino --int8 --calibrate /data/clips",
    ),
    "models list": ("hiera models list", "hiera models list -f csv -o models.csv"),
    "models show": ("hiera models show camera-motion", "hiera models show hiera_base_16x224"),
    "models download": (
        "hiera models download hiera_base_16x224",
        "hiera models download hiera_tiny_224 --cache-dir /data/weights",
    ),
    "models verify": ("hiera models verify", "hiera models verify camera-motion"),
    "synth camera-motion": (
        "hiera synth camera-motion moves -n 200",
        "hiera synth camera-motion moves --source holiday.mp4 --still",
    ),
    "synth samples": ("hiera synth samples sample_videos", "hiera classify sample_videos"),
    "synth start": ("hiera synth start start", "hiera finetune moves -m start --out run"),
}


class Command(TyperCommand):
    """A command whose help is grouped; its epilog holds examples, one a line."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments first, then options by heading."""
        groups: dict[str, list[tuple[str, str]]] = {heading: [] for heading in HEADINGS}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                groups.setdefault(_heading(param), []).append(record)
        for heading, records in groups.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """The examples, each on a line of its own, however long."""
        if self.epilog:
            with formatter.section("Examples"):
                for line in self.epilog.splitlines():
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")


def _heading(param: Any) -> str:
    if param.param_type_name == "argument":
        return "Input"
    panel = getattr(param, "rich_help_panel", None)
    if isinstance(panel, str):
        return panel
    return _HEADING_OF.get(param.name, "Options")
