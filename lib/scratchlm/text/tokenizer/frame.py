"""The tokens that stand around a text.

Some models expect a token before each text that says where it begins, or one
behind it. A tokenizer's file says which, and the caller says whether.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The tokens that stand around a text; by default none.

    Args:
        before: the special tokens before it.
        after: those behind it.
        pair: for other libraries, which encode two texts as one: what stands
            around them, each with its type; ``$A`` and ``$B`` are the texts.
            Empty for the frame around each.
    """

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    pair: tuple[tuple[str, int], ...] = ()

    def check(self, ids: Mapping[str, int]) -> None:
        """Raise ValueError where a token of the frame has no id."""
        pair = [name for name, _ in self.pair if name not in ("$A", "$B")]
        for name in (*self.before, *self.after, *pair):
            if name not in ids:
                raise ValueError(
                    f"the frame names {name!r}, which is not a special token; "
                    f"the special tokens are {sorted(ids)}"
                )

    def rule(self, ids: Mapping[str, int]) -> Any:
        """What ``tokenizer.json`` says of it.

        Args:
            ids: of the special tokens.
        """
        one = [*self.before, "$A", *self.after]
        if one == ["$A"] and not self.pair:
            return None
        two = self.pair or _each_framed(one)
        names = {name for name in (*one, *dict(two)) if name in ids}
        return {
            "type": "TemplateProcessing",
            "single": [_piece(name, 0) for name in one],
            "pair": [_piece(name, kind) for name, kind in two],
            "special_tokens": {
                name: {"id": name, "ids": [ids[name]], "tokens": [name]}
                for name in sorted(names, key=ids.__getitem__)
            },
        }


def read_frame(rule: Any, ids: Mapping[str, int]) -> Frame:
    """The frame that a file says.

    Args:
        rule: its post-processor, or None.
        ids: of the special tokens.

    Raises:
        ValueError: it does something else.
    """
    frames = [_read_one(each, ids) for each in _in_turn(rule)]
    frames = [frame for frame in frames if frame != Frame()]
    if len(frames) > 1:
        raise ValueError(f"its post_processor frames a text twice: {rule}")
    return frames[0] if frames else Frame()


def _in_turn(rule: Any) -> list[Any]:
    if not rule:
        return []
    if rule["type"] != "Sequence":
        return [rule]
    return [each for part in rule["processors"] for each in _in_turn(part)]


def _read_one(rule: Any, ids: Mapping[str, int]) -> Frame:
    kind = rule["type"]
    if kind == "ByteLevel":  # it moves offsets, and leaves ids alone
        return Frame()
    if kind in ("RobertaProcessing", "BertProcessing"):
        (first, first_id), (last, last_id) = rule["cls"], rule["sep"]
        _agree(rule, {first: [first_id], last: [last_id]}, ids)
        # RoBERTa has one type of text, and two tokens between two texts.
        second = int(kind == "BertProcessing")
        between = ((last, 0),) * (2 - second)
        text = ("$A", 0), *between, ("$B", second)
        pair = (first, 0), *text, (last, second)
        return Frame(before=(first,), after=(last,), pair=pair)
    if kind != "TemplateProcessing":
        raise ValueError(f"it has the post_processor {rule}")
    told = {n: token["ids"] for n, token in rule["special_tokens"].items()}
    one = [name for name, _ in map(_name, rule["single"])]
    _agree(rule, {n: told[n] for n in one if n != "$A"}, ids)
    if one.count("$A") != 1 or "$B" in one:
        raise ValueError(f"its post_processor does not frame one text: {rule}")
    at = one.index("$A")
    pair = tuple(map(_name, rule["pair"]))
    return Frame(
        before=tuple(one[:at]),
        after=tuple(one[at + 1 :]),
        pair=() if pair == _each_framed(one) else pair,
    )


def _each_framed(one: list[str]) -> tuple[tuple[str, int], ...]:
    """Two texts, the same tokens around each."""
    return tuple(
        (text if name == "$A" else name, kind)
        for kind, text in enumerate(("$A", "$B"))
        for name in one
    )


def _agree(rule: Any, told: dict[str, list[int]], ids: Any) -> None:
    for name, found in told.items():
        if found != [ids.get(name)]:
            raise ValueError(
                f"its post_processor puts the ids {found} for {name!r}, "
                f"which as a special token has {ids.get(name)}"
            )


def _piece(name: str, kind: int) -> dict[str, Any]:
    if name in ("$A", "$B"):
        return {"Sequence": {"id": name[1:], "type_id": kind}}
    return {"SpecialToken": {"id": name, "type_id": kind}}


def _name(piece: dict[str, Any]) -> tuple[str, int]:
    ((what, told),) = piece.items()
    name = f"${told['id']}" if what == "Sequence" else told["id"]
    return name, told["type_id"]
