"""Words of a person in, the language to answer in out: English unless the words are German."""

import re
from collections.abc import Iterable
from enum import StrEnum

from mlops.reading.words import fold


class Language(StrEnum):
    EN = "en"
    DE = "de"


_WORD = re.compile(r"[^\W\d_]+")
_GERMAN = frozenset(
    "der die das den dem des ein eine einen einem einer und oder aber nicht kein keine keinen ist "
    "sind war hat haben wird was wie wer wo warum wieso wann welche welcher welches welchen mit "
    "ohne auf fuer von zu zum zur im ich du wir mir mich bitte danke hallo nur lieber doch auch "
    "noch schon jetzt mach mache nimm nutze verwende trainiere trainier starte stoppe stopp zeige "
    "zeig gibt es datensatz datensaetze daten stunde stunden minuten hoechstens mindestens ueber "
    "unter billiger guenstiger schneller gleiche dasselbe weg ja nein kostet gekostet kosten teuer "
    "laeuft geht guten tag moin servus kleinen kleine grossen grosse erste ersten zweite zweiten "
    "dritte dritten letzte letzten modell zeitlimit statt stattdessen wuerde kann kannst koennte "
    "koenntest abbrechen beende verdopple halbiere egal warte los gerne".split()
)
_ENGLISH = frozenset(
    "the a an and or but not no is are was were has have will would what how who where why when "
    "which with without on for from to of in i you we me please thanks hello hi only rather also "
    "now make use take train start stop show list give there dataset data hour hours minutes most "
    "least above below under cheaper faster same yes cost costs much did do does it its that this "
    "my can could should instead actually first second third last one again budget at".split()
)


def language_of(texts: Iterable[str]) -> Language:
    """Of the latest text that shows one ("B", "cier", "$8" show none); `texts` are oldest first."""
    for text in reversed(list(texts)):
        words = [fold(word) for word in _WORD.findall(text[:2000])]
        german = sum(word in _GERMAN for word in words)
        english = sum(word in _ENGLISH for word in words)
        if german != english:
            return Language.DE if german > english else Language.EN
    return Language.EN
