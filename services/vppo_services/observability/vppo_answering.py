"""Answers questions about images with a trained model: code that travels inside an MLflow model.

It needs no vppo where it is loaded, only the packages that the model names.
"""

import base64
import binascii
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_IMAGE_MARK: Final = "<image>"


def _load_pyfunc(path: str, settings: Mapping[str, Any]) -> "AnsweringModel":  # named by MLflow
    return AnsweringModel(Path(path), settings)


class AnsweringModel:
    """One model with its processor, on a GPU where there is one.

    Example:
        model = mlflow.pyfunc.load_model("models:/demo-vppo/1")
        model.predict([{"image": Path("chart.png").read_bytes(), "question": "How many bars?"}])
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Load the weights.

        Args:
            folder: of the MLflow model.
            settings: `weights`, their folder; `prompt_template`, Jinja, of `content`;
                `max_new_tokens`; `suppress_tokens`, ids that no answer may hold.
        """
        import torch
        from jinja2.sandbox import ImmutableSandboxedEnvironment
        from transformers import AutoModelForImageTextToText, AutoProcessor

        source = folder / str(settings["weights"])
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._processor = AutoProcessor.from_pretrained(source)
        model = AutoModelForImageTextToText.from_pretrained(source, dtype="auto")
        self._model: Any = model.to(self._device).eval()
        environment = ImmutableSandboxedEnvironment()
        self._template = environment.from_string(str(settings["prompt_template"]))
        self._max_new_tokens = int(settings["max_new_tokens"])
        self._suppressed = [int(token) for token in settings["suppress_tokens"]]

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> Any:
        """A table with one column, `answer`.

        Args:
            model_input: table with the columns `question` and, for questions about an image,
                `image`: an encoded picture as bytes or as base64.
            params: `max_new_tokens`, and `temperature`, where 0 takes the most probable token.
        """
        import pandas as pd

        given = params or {}
        answers = [
            self._answer(
                str(row["question"]),
                row.get("image"),
                max_new_tokens=int(given.get("max_new_tokens") or self._max_new_tokens),
                temperature=float(given.get("temperature") or 0.0),
            )
            for row in pd.DataFrame(model_input).to_dict(orient="records")
        ]
        return pd.DataFrame({"answer": answers})

    def _answer(
        self, question: str, image: object, *, max_new_tokens: int, temperature: float
    ) -> str:
        import torch

        images = [] if not isinstance(image, str | bytes) or not image else [_picture(image)]
        text = self._template.render(content=question)
        turn = {"role": "user", "content": _parts(text, len(images))}
        prompt = self._processor.apply_chat_template(
            [turn], add_generation_prompt=True, tokenize=False
        )
        inputs = self._processor(
            text=[prompt], images=images or None, return_tensors="pt", add_special_tokens=False
        ).to(self._device)
        sampling = {"temperature": temperature, "top_p": 1.0, "top_k": 0} if temperature else {}
        with torch.inference_mode():
            ids = self._model.generate(
                **inputs,
                max_new_tokens=max_new_tokens,
                do_sample=bool(temperature),
                suppress_tokens=self._suppressed or None,
                **sampling,
            )
        new = ids[0, inputs["input_ids"].shape[1] :]
        return str(self._processor.tokenizer.decode(new, skip_special_tokens=True))


def _parts(text: str, num_images: int) -> list[dict[str, str]]:
    pieces = text.split(_IMAGE_MARK)
    if num_images == 1 and len(pieces) == 1:
        pieces = ["", text]
    if len(pieces) - 1 != num_images:
        raise ValueError(
            f"a question must have one {_IMAGE_MARK} for its image, got {len(pieces) - 1} marks "
            f"and {num_images} images"
        )
    parts: list[dict[str, str]] = []
    for index, piece in enumerate(pieces):
        parts += [{"type": "image"}] if index else []
        parts += [{"type": "text", "text": piece}] if piece else []
    return parts


def _picture(image: str | bytes) -> Any:
    """Upright RGB, transparent parts white, as in training."""
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(_encoded(image))) as opened:
        picture = ImageOps.exif_transpose(opened)
    if "A" in picture.mode or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        page = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(page, layer)
    return picture.convert("RGB")


def _encoded(image: str | bytes) -> bytes:
    text = image.decode("latin-1") if isinstance(image, bytes) else image
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        if isinstance(image, bytes):
            return image
        raise ValueError("an image must be the bytes of a picture, or these in base64") from None
