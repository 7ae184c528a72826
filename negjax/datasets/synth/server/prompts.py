"""What is asked of a language model: a readable file for each prompt, filled in as a request."""

import base64
import hashlib
import io
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any

from negjax.datasets.sources.rows import MediaFile, is_video, read_media
from negjax.datasets.synth.server.settings import ServerSettings
from negjax.media.thumbnails import picture_of

PICTURE_SIDE = 768  # pixels of the longer side of a picture that is sent
PIXELS_PER_TOKEN = 28 * 28  # of vision models with patches of 14 pixels, four of which make a token
BYTES_PER_TOKEN = 4  # of English
_MESSAGE_TOKENS = 8  # that separate messages
_JPEG_QUALITY = 90


@dataclass(frozen=True)
class Prompt:
    """A prompt file.

    Attributes:
        name: its name, such as "extract".
        digest: of its content: answers to another version are not used.
        system: what the model is to do.
        user: a template of the rest, with $placeholders.
        schema: a template of the JSON schema of the answer.
        temperature: of the first answer; see `language_server`.
        max_tokens: of an answer.
    """

    name: str
    digest: str
    system: str
    user: str
    schema: str
    temperature: float
    max_tokens: int


@cache
def read_prompt(name: str) -> Prompt:
    """Reads the prompt of this name from the package's data."""
    content = files("negjax").joinpath(f"assets/synth/{name}.toml").read_bytes()
    values = tomllib.loads(content.decode())
    return Prompt(
        name,
        hashlib.sha256(content).hexdigest(),
        values["system"].strip(),
        values["user"].strip(),
        values["schema"],
        values["temperature"],
        values["max_tokens"],
    )


def asked_of(settings: ServerSettings, prompt: str) -> dict[str, str]:
    """What answers depend on beside the rows, for the settings of a stage."""
    return {"model": settings.model, "prompt": read_prompt(prompt).digest}


@dataclass(frozen=True)
class PromptRequest:
    """A prompt that is filled in.

    Attributes:
        prompt: the prompt.
        values: of its placeholders; other things than texts are written as JSON.
        picture: the picture that it is about, read only where it is needed; None for none.
        name: of the image, for messages.
    """

    prompt: Prompt
    values: Mapping[str, Any]
    picture: MediaFile | None = field(default=None, compare=False)
    name: str = ""

    @property
    def text(self) -> str:
        """The user's message, of characters that can be sent."""
        values = {name: json.dumps(value, ensure_ascii=False) for name, value in self.values.items()}
        return Template(self.prompt.user).substitute(values).encode("utf-8", "replace").decode()

    @property
    def schema(self) -> Any:
        """JSON schema of the answer."""
        values = {name: json.dumps(value) for name, value in self.values.items()}
        return json.loads(Template(self.prompt.schema).substitute(values))

    def key(self, model: str) -> str:
        """The digest of all that an answer depends on: the model, the prompt, its values and the picture."""
        picture = "" if self.picture is None else hashlib.sha256(read_media(self.picture)).hexdigest()
        content = [model, self.prompt.name, self.prompt.digest, self.text, picture, PICTURE_SIDE if picture else 0]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def messages(self) -> list[dict[str, Any]]:
        """The messages of a chat; raises NegjaxError if the picture cannot be decoded."""
        content: Any = self.text
        if self.picture is not None:
            url = picture_url(self.picture, self.name)
            content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": self.text}]
        return [{"role": "system", "content": self.prompt.system}, {"role": "user", "content": content}]

    def tokens(self) -> int:
        """About how many tokens the messages have: one for 4 bytes of text or 28 x 28 pixels of the largest picture."""
        text = len(self.prompt.system.encode()) + len(self.text.encode())
        pixels = 0 if self.picture is None else PICTURE_SIDE**2
        return text // BYTES_PER_TOKEN + pixels // PIXELS_PER_TOKEN + 2 * _MESSAGE_TOKENS


def picture_url(media: MediaFile, name: str) -> str:
    """A picture as a data URL: upright, shrunk to PICTURE_SIDE, JPEG, without the metadata of the file."""
    image = picture_of(read_media(media), name, is_clip=is_video(name), upright=True)
    image.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    content = io.BytesIO()
    image.save(content, "JPEG", quality=_JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"
