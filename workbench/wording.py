"""What a person typed in; text that may be stored, sent and printed out."""

from mlops.errors import RequestError

MAX_CHARACTERS = 10_000


def plain(text: str) -> str:
    """Bytes that were no text arrive as lone surrogates; nothing may store or print those."""
    return text.encode("utf-8", "replace").decode()


def checked(text: str) -> str:
    """RequestError when there is nothing, or more than a request can be."""
    if not text.strip():
        raise RequestError("empty_text", "Say what you want, for example what to train on what.")
    if len(text) > MAX_CHARACTERS:
        raise RequestError("text_too_long", f"Say it in {MAX_CHARACTERS:,} characters or less.")
    return plain(text)
