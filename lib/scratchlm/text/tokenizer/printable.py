"""Bytes as printable characters.

Files of text hold byte-level vocabularies in GPT-2's alphabet, in which every
byte is written as a printable character.
"""

_PRINTABLE = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
_SHIFTED = [byte for byte in range(256) if byte not in _PRINTABLE]
# GPT-2's alphabet: printable Latin-1 stands for itself, the rest follows
# from U+0100 on, so that a vocabulary is text without space or control codes.
ALPHABET = {byte: chr(byte) for byte in _PRINTABLE} | {
    byte: chr(256 + i) for i, byte in enumerate(_SHIFTED)
}
_BYTE_OF = {ord(character): byte for byte, character in ALPHABET.items()}


def to_printable(token: bytes) -> str:
    """A token in GPT-2's alphabet."""
    return token.decode("latin-1").translate(ALPHABET)


def from_printable(text: str) -> bytes:
    """The bytes of a token written in GPT-2's alphabet.

    Raises:
        ValueError: a character is not of the alphabet.
    """
    try:
        return bytes(_BYTE_OF[ord(character)] for character in text)
    except KeyError as error:
        raise ValueError(
            f"{text!r} holds {chr(error.args[0])!r}, which is not in the "
            "alphabet of byte-level vocabularies"
        ) from None
