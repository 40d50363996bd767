"""A reading in, what the person is after out; what they want held back, too."""

import re
from enum import StrEnum

from mlops.reading.lexicon import LEXICON
from mlops.reading.quantities import Reading


class Intent(StrEnum):
    TRAIN = "train"
    ESTIMATE = "estimate"
    DATASETS = "datasets"
    GPUS = "gpus"
    JOBS = "jobs"
    COSTS = "costs"
    STOP = "stop"
    EXPLAIN = "explain"
    GREETING = "greeting"
    OTHER = "other"


_PRIORITY = (
    Intent.STOP,
    Intent.TRAIN,
    Intent.ESTIMATE,
    Intent.COSTS,
    Intent.JOBS,
    Intent.GPUS,
    Intent.DATASETS,
    Intent.EXPLAIN,
    Intent.GREETING,
)
READS = (Intent.JOBS, Intent.COSTS, Intent.GPUS, Intent.DATASETS)
"""Questions that a tool answers."""
_REACH = 1000  # characters of a sentence that are looked at, so that no text is slow
_SETTINGS = frozenset({"budget_usd", "max_minutes", "target", "model", "instance_type"})

_POLITE = re.compile(
    r"(?:(?:please|bitte|so|and|und|ok|okay|well|now|then|hey|hi|hello|hallo|great|perfect|thanks|"
    r"also|dann|just|no|nope|nein|oh|can you|could you|would you|will you|kannst du|koenntest du|wuerdest du|"
    r"i want you to|i want to know|i would like to know|id like to know|tell me|let me know|"
    r"sag mir|do you know|id like you to|lets|,|=) )*"
)
_QUESTION = re.compile(
    r"(?:what|whats|which|how|hows|why|when|where|who|is|are|was|were|did|do i|do we|do you|does|has|have|"
    r"will|would|should|could|can|any|wie|welche\w*|wieviel|wann|wer|wo|warum|wieso|weshalb|"
    r"wofuer|gibt|ist|sind|hat|habe|haben|laeuft|reicht|kann|soll|show|list|display|give|zeige?|"
    r"liste|nenne|compare|vergleiche)\b"
)
_VERB = r"(?:re)?train|trains|fine-?tun(?:e|ing)|finetuning|tune|trainier\w*|anlernen"
_START = (
    r"start\w*|launch\w*|runs?|begin|create|build|make|need|want|beginne?n?|erstelle?n?|baue?n?|"
    r"brauche?n?|moechte|will|submit"
)
_TRAIN = re.compile(
    rf"\b(?:{_VERB})\b|^training (?:on|for|with|auf|mit)\b"
    rf"|\b(?:{_START})\b(?!.*\b(?:see|view|know|check|watch|monitor|status|progress)\b)"
    r".{0,60}\b(?:training|models?|modell|ner|named entity|classifi\w+|experiment|job)\b"
)
_NOT = r"(?:not|dont|do not|never|nicht|kein\w*|without|ohne)"
_HELD = re.compile(
    rf"\b{_NOT} (?:\w+ )?(?:{_VERB}|training|launch\w*|start\w*|run|submit)\b"
    r"(?! (?:it |this )?(?:on|with|using|auf|mit) (?:a |the )?(?:spot|on-?demand|[gc]pu|[gp]\d|ml\.))"
    r"(?!.{0,20}\b(?:more than|longer than|over|above|past|beyond)\b)"
    r"(?!(?: [^ ]+){0,5} (?:before|until|till|vor|bis|earlier than|frueher als)\b)"
    r"|\b(?:trainiere|starte|launch|start|train) (?:\w+ ){0,2}(?:nichts|nothing)\b"
    r"|\b(?:trainiere|starte) (?:noch |bitte )?nicht\b(?! (?:auf|mit|laenger|mehr|ueber|vor|bis|frueher als)\b)"
)
_STOP_VERB = r"(?:stop|cancel|abort|kill|halt|terminate|stoppe?n?|beende|brich|abbrechen)"
_STOP = re.compile(
    r"(?P<lead>(?:\w+ ){0,4}?)"
    rf"{_STOP_VERB}\b"
    r"(?! (?:at|after|early)\b)(?!.*\b(?:if|when|once|as soon|wenn|sobald|falls)\b)"
    r"|.{0,80}\b(?:job|training|auftrag|lauf) (?:bitte )?(?:stoppen|abbrechen|beenden|anhalten)\b"
)
# German puts its "not" after the verb: "brich den Job bitte nicht ab".
_NOT_STOPPED = re.compile(
    rf"\b{_STOP_VERB}\b.*\b(?:nicht|niemals|nie)\b(?! (?:mehr|laenger)\b)"
    rf"|\b{_STOP_VERB} (?:\w+ ){{0,3}}?(?:not|never)$"
)
_TAKEN_BACK = re.compile(
    r"(?:oh |ah |ach |wait )*(?:no|nope|nah|nein|not|nicht|dont|do not|lieber nicht|doch nicht|"
    r"never mind|no wait)(?: (?:wait|really|please|bitte|danke|thanks))*$"
    r"|(?:.*\b)?(?:keep (?:\w+ )?(?:going|running|on|training)|"
    r"let (?:it|them|the \w+) (?:run|go on|finish|continue)|carry on|go on|continue|"
    r"weiterlaufen|weitermachen|weiter laufen|mach weiter|laufen lassen|lass\w* .{0,30}laufen)\b"
)
_LIMITED = re.compile(
    r"\b(?:stop\w*|cancel|abort|kill|halt|terminate|beende\w*|brich|abbrechen)\b"
    r".*\b(?:at|after|before|by|once|over|above|until|nach|bei|vor|ueber|bevor)\b"
)
_ESTIMATE = re.compile(
    r"\b(?:estimate\w*|schaetze?n?|calculate|simulate|dry-?run|what if|only plan)\b|^plane?\b"
)
_COSTING = r"(?:costs?|kosten|kostet|price|expensive|teuer|budget|much|long|lange|takes?|dauert)"
_TRAINED = rf"(?:{_VERB}|training|ner)"
_ESTIMATE_QUESTION = re.compile(
    r"\b(?:estimate\w*|enough|reicht|reichen|feasible|expect|what if|how long(?! has| have| is)|"
    r"wie lange|cost to|(?:would|will|wuerde)\b.*\b(?:cost|take|kosten|dauern))\b"
    rf"|\b(?:can|could|should|would|possible|kann|koennen|soll|wuerde)\b.*\b{_TRAINED}\b"
    rf"|\b{_COSTING}\b.*\b{_TRAINED}\b|\b{_TRAINED}\b.*\b{_COSTING}\b"
)
_PAST = re.compile(
    r"\b(?:did|spent|spend|(?<!^)was|have i|have we|so far|left|remaining|bisher|gekostet|ausgegeben)\b"
)
_WHY = re.compile(
    r"\b(?:why|warum|wieso|weshalb|wofuer|explain|erklaer\w*|what can you|what do you do|"
    r"who are you|what are you|was kannst|was machst|how .* works?)\b|^(?:help|hilfe)\b"
    r"|^how (?:do|does|can|to|is)\b(?!.*\b(?:costs?|takes?|long|much|going|doing|training)\b)"
)
_SUBJECTS = {
    Intent.COSTS: r"spend|spent|spending|costs?|bill|billed|billing|charged?|budgets?|money|kosten|"
    r"kostet|gekostet|ausgegeben|ausgaben|expenses?|invoice|paid|rechnung|left|uebrig",
    Intent.JOBS: r"jobs?|status|progress|running|finished|done|going|logs?|state|laeuft|fertig|"
    r"auftr\w+|fortschritt|trainings?|runs?|results?|ergebnis\w*",
    Intent.GPUS: r"gpus?|instances?|instanz\w*|quotas?|kontingent\w*|accelerators?|machines?|"
    r"cheapest|guenstigste\w*|billigste\w*|hardware|vram|cpus?|grafikkarte\w*|maschinen?|"
    r"ml\.\w+|[gp]\d\w*",
    Intent.DATASETS: r"datasets?|datens\w+|corpus|corpora|korpus|korpora|data|daten",
}
_SUBJECT = re.compile("|".join(rf"\b(?P<{i}>{words})\b" for i, words in _SUBJECTS.items()))
_DATA_VERB = re.compile(
    r"\b(?:prepare|import|upload|describe|validate|check|inspect|preview|vorbereiten|pruefe?n?)\b"
)
_GREETINGS = frozenset(
    "hi hello hey hallo moin servus greetings good morning afternoon evening day guten tag morgen "
    "abend there bot agent how are you thanks thank danke gruess dich gott , . ! team all folks "
    "everyone to na wie gehts geht es dir a lot so much very many vielen dank sehr".split()
)
_GREETING_WORDS = frozenset(
    "hi hello hey hallo moin servus greetings morning afternoon evening guten tag danke thanks "
    "thank gruess morgen abend dank".split()
)
_HOW_ARE_YOU = re.compile(r"how are you|(?:na )?wie gehts|(?:na )?wie geht es")


def intent(reading: Reading, said: frozenset[str]) -> Intent:
    """Of several sentences the one that asks for the most; `said` are the clauses found."""
    sentences = _sentences(reading)
    found = {_sentence_intent(sentence, said) for sentence in sentences}
    is_held = any(_HELD.search(sentence) for sentence in sentences)
    if is_held and (wanted := _instead(reading, said)) is not None:
        return wanted
    best = next((i for i in _PRIORITY if i in found), Intent.OTHER)
    if best in (Intent.STOP, Intent.OTHER) and is_stop_held(reading):
        return Intent.JOBS
    names_work = {"task", "dataset"} <= said or (said & {"task", "dataset"} and said & _SETTINGS)
    if best in (Intent.OTHER, Intent.GREETING) and names_work:
        is_question = any(_QUESTION.match(sentence) for sentence in sentences)
        best = Intent.ESTIMATE if is_question else Intent.TRAIN
    return Intent.ESTIMATE if best is Intent.TRAIN and is_held else best


def is_two_requests(reading: Reading) -> bool:
    """To stop something, and to train: "stop everything and train on cier for $1"."""
    parts = {
        _sentence_intent(part, frozenset())
        for part in _sentences(reading, ends=".&,")
        if not _LIMITED.search(part)
    }
    return {Intent.STOP, Intent.TRAIN} <= parts


def is_stop_held(reading: Reading) -> bool:
    """ "Stoppe den Job nicht", "stop? no, keep going": what was said last about it counts."""
    held = named = False
    for part in _sentences(reading, ends=".&,-"):
        named = named or re.search(rf"\b{_STOP_VERB}\b", part) is not None
        rest = _POLITE.sub("", part, count=1)
        stop = _STOP.match(rest)
        if stop and not re.search(rf"\b{_NOT}\b", stop["lead"] or ""):
            held = _NOT_STOPPED.search(rest) is not None
        elif re.search(rf"\b{_NOT}\b.*\b{_STOP_VERB}\b", rest) or _TAKEN_BACK.match(part):
            held = True
    return held and named


def is_held(reading: Reading) -> bool:
    """ "Don't train on cier", and nothing that is wanted instead."""
    parts = _parts(reading)
    held = [part for part in parts if _HELD.search(part)]
    return bool(held) and not any(
        _sentence_intent(part, frozenset()) not in (Intent.OTHER, Intent.GREETING)
        for part in parts
        if part not in held
    )


def questions(reading: Reading) -> tuple[Intent, ...]:
    """What is asked for when it is only to be read, each once: "the jobs, and what I have spent"."""
    found = [_sentence_intent(part, frozenset()) for part in _sentences(reading, ends=".&,")]
    return tuple(dict.fromkeys(intent for intent in found if intent in READS))


def _instead(reading: Reading, said: frozenset[str]) -> Intent | None:
    """Of "don't train, just show me the datasets" the second half; OTHER when there is none; None
    when a plan without a launch is meant."""
    if is_held(reading):
        return None if said & _SETTINGS else Intent.OTHER
    wanted = {_sentence_intent(p, frozenset()) for p in _parts(reading) if not _HELD.search(p)}
    if wanted & {Intent.TRAIN, Intent.STOP}:
        return None
    if Intent.ESTIMATE in wanted:
        return Intent.ESTIMATE
    return next((i for i in _PRIORITY if i in wanted & {*READS, Intent.EXPLAIN}), None)


def _parts(reading: Reading) -> list[str]:
    """Of each sentence, between commas and "but"."""
    sentences = _sentences(reading, ends=".&,-")
    return [
        part for s in sentences for part in re.split(r" ?\b(?:but|sondern|aber)\b ?", s) if part
    ]


def _sentences(reading: Reading, ends: str = ".") -> list[str]:
    """Folded words of each sentence."""
    sentences: list[list[str]] = [[]]
    for token in reading.tokens:
        if token.tag in ends:
            sentences.append([])
        else:
            sentences[-1].append(token.key)
    return [" ".join(words)[:_REACH] for words in sentences if words]


def _sentence_intent(sentence: str, said: frozenset[str]) -> Intent:
    rest = _POLITE.sub("", sentence, count=1)
    words = {word for word in sentence.split() if any(map(str.isalnum, word))}
    if words <= _GREETINGS and (words & _GREETING_WORDS or _HOW_ARE_YOU.match(sentence)):
        return Intent.GREETING
    if _QUESTION.match(rest):
        return _question_intent(rest)
    stop = _STOP.match(rest)
    if stop and not re.search(rf"\b(?:{_NOT}|{_VERB})\b", stop["lead"] or ""):
        return Intent.STOP
    if _WHY.search(rest):
        return Intent.EXPLAIN
    if _ESTIMATE.search(rest):
        return Intent.ESTIMATE
    if _TRAIN.search(rest):
        return Intent.TRAIN
    return _statement_intent(rest, said)


def _question_intent(sentence: str) -> Intent:
    """What it asks about first; a price with a training in it is an estimate, unless it is past."""
    abouts = [
        (str(m.lastgroup), sentence.count(" ", 0, m.start())) for m in _SUBJECT.finditer(sentence)
    ]
    names = {name for name, _ in abouts}
    if _WHY.search(sentence):
        return Intent.EXPLAIN
    if _PAST.search(sentence) and Intent.COSTS in names:
        return Intent.COSTS
    if abouts and abouts[0][0] in (Intent.GPUS, Intent.DATASETS) and abouts[0][1] <= 4:
        return Intent(abouts[0][0])
    if _ESTIMATE_QUESTION.search(sentence) and not _PAST.search(sentence):
        return Intent.ESTIMATE
    if {Intent.GPUS, Intent.COSTS} <= names:
        return Intent.GPUS
    if abouts:
        return Intent(abouts[0][0])
    is_ours = any(word in LEXICON and LEXICON[word].tag in "KFPQ" for word in sentence.split())
    return Intent.EXPLAIN if is_ours else Intent.OTHER


def _statement_intent(sentence: str, said: frozenset[str]) -> Intent:
    """A bare "my jobs" asks for them; a bare "budget: $5" only states a clause."""
    subject = _SUBJECT.search(sentence)
    if subject is None:
        return Intent.OTHER
    about = Intent(str(subject.lastgroup))
    if about is Intent.GPUS and subject.start() == 0:
        return about
    if about is Intent.DATASETS and _DATA_VERB.search(sentence):
        return about
    return Intent.OTHER if said - {"task", "metric"} and about is not Intent.JOBS else about
