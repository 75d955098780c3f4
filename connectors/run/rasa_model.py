"""The trained Rasa model of what comes with the project, made once for each state of its inputs and kept under ``.cache/rasa``.

Training takes most of a minute; an unchanged project finds its model there at once.
"""

from pathlib import Path

from training.rasa_model import CACHE, RasaTrainingError, model_id, train

__all__ = ["RasaTrainingError", "ensure_model", "model_id"]


def ensure_model(root: Path, overlay: Path | None = None) -> Path:
    """Return the Rasa model for the project at ``root``, training it first if its inputs have changed.

    Two callers at once both train and the later one replaces the earlier one's equal file; neither sees half a model.

    Args:
        root: The project's directory, with ``.venv-rasa``, ``config.yml``, ``domain.yml``, ``nlu_data`` and ``bot/rasa``.
        overlay: A file of NLU data that is learned besides.

    Returns:
        ``<root>/.cache/rasa/<hash of the inputs>.tar.gz``.

    Raises:
        RasaTrainingError: if ``.venv-rasa`` or an input is missing, or if Rasa's training fails.
    """
    root = root.resolve()
    model = root / CACHE / f"{model_id(root, overlay)}.tar.gz"
    if not model.exists():
        model.parent.mkdir(parents=True, exist_ok=True)
        train(root, model, overlay)
    return model
