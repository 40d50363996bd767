"""A model's text in as it streams, out what may be shown before the whole is judged: no number that nothing confirms."""

import re

from agent.replies import OnText
from mlops.dialogue.claims import Known, may_claim, unconfirmed

_WORD = re.compile(r"\S*\s+")
_SENTENCE_ENDS = re.compile(r"[.!?]['\")*_]*\s$|\n")
# A word without an end is taken to be one.
_LONGEST_WORD_CHARS = 200


class Speaking:
    """Words pass at once; a sentence with a number waits for its end, and passes when all its
    numbers are known. From the first one that is not, nothing passes: the answer says the rest."""

    def __init__(self, known: Known, pass_on: OnText):
        self._known = known
        self._pass_on = pass_on
        self._word = ""
        self._sentence = ""
        self._shown = 0
        self._waits = self._is_silent = False

    def __call__(self, text: str) -> None:
        if self._is_silent:
            return
        self._word += text
        end = 0
        for match in _WORD.finditer(self._word):
            end = match.end()
            self._hear(match[0])
        self._word = self._word[end:]
        if len(self._word) > _LONGEST_WORD_CHARS:
            self._hear(self._word)
            self._word = ""

    def end(self) -> None:
        """Nothing more comes: what waits is judged."""
        self._hear(self._word)
        self._word = ""
        self._end_sentence()

    def _hear(self, word: str) -> None:
        """A word with the space behind it."""
        self._sentence += word
        self._waits = self._waits or may_claim(word)
        if not self._waits:
            self._show()
        if _SENTENCE_ENDS.search(word):
            self._end_sentence()

    def _end_sentence(self) -> None:
        if self._waits and unconfirmed(self._sentence, self._known):
            self._is_silent = True
        self._show()
        self._sentence, self._shown, self._waits = "", 0, False

    def _show(self) -> None:
        fresh = self._sentence[self._shown :]
        if fresh and not self._is_silent:
            self._pass_on(fresh)
        self._shown = len(self._sentence)
