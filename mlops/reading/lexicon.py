"""What words mean to the grammar, English and German: word or phrase → one-letter tag, name, number.

Keys are folded: lower case, umlauts spelled out, no apostrophes.
"""

from decimal import Decimal
from typing import NamedTuple


class Entry(NamedTuple):
    """`tag` says the role, `name` which metric, task or comparator, `number` seconds or value.

    Tags: $ dollars (s after the amount), € other money (e after), c cents, % per cent, U unit of
    time, N number, H half, a/o articles, B budget, T time, F metric, S score, D dataset, K task,
    L model, G instance noun, P spot, Q on demand, < > comparators, ! negation, C correction,
    b between, ~ to, & and, / per, = glue, i in, p on, w with, t train, v vague amount,
    z words that are never a name, `,` and `.` punctuation.
    """

    tag: str
    name: str = ""
    number: Decimal = Decimal(0)


_TAGS = {
    "$": "$ us$ usd dollar dollars dollarn buck bucks usdollar usdollars",
    "€": "€ £ ¥ ₹ eur euro euros gbp pound pounds pfund chf franken francs yen jpy cad aud inr rupees",
    "c": "¢ c ct cts cent cents",
    "%": "% percent percentage prozent pct",
    "H": "half halbe halben halber halbes",
    "a": "a an ein eine einen einer einem eines",
    "o": "the my our your their its der die das dem den des mein meine meinem meiner meinen unser "
    "unsere unserem unseren",
    "B": "budget budgets spend spending cost costs costing price pay kosten kostet ausgeben preis "
    "geld money kostenlimit preislimit gesamtbudget",
    "T": "time deadline duration runtime zeit dauer dauern dauert laufzeit frist take takes "
    "zeitlimit zeitbudget zeitrahmen",
    "S": "score scores value wert werte measure mass target goal ziel zielwert quality qualitaet "
    "performance guete",
    "D": "dataset datasets corpus corpora data datensatz datensatzes datensatze datensaetze "
    "datensaetzen korpus daten korpora",
    "G": "gpu gpus instance instances instanz instanzen cpu cpus machine machines maschine "
    "maschinen accelerator accelerators instanztyp instanztypen grafikkarte grafikkarten",
    "P": "spot preemptible sopt spto psot spott",
    "Q": "ondemand on-demand",
    "!": "not no never without dont doesnt isnt wont shouldnt mustnt cannot cant avoid nicht kein "
    "keine keinen keinem keiner ohne nie niemals non statt anstatt weder nor neither",
    "C": "actually sorry correction instead rather oops stattdessen lieber korrektur eigentlich",
    "b": "between from zwischen von",
    "~": "to bis",
    "&": "and und & + plus",
    "/": "/ per pro je",
    "=": "= == : ~ ≈ is are was be being should must shall will needs need of at about around "
    "roughly approximately approx ca circa etwa rund ungefaehr ist sind sein soll sollte sollen muss "
    "darf liegt liegen betraegt total set stay remain keep have has want desired get gets getting "
    "drop fall go bei also possible equal equals werden wird exactly only just",
    "i": "in within innerhalb binnen during",
    "p": "on using onto upon auf use nutze verwende nimm",
    "w": "with for mit fuer via against",
    "t": "train trains retrain finetune fine-tune tune trainiere trainieren trainier trainiert "
    "trainierst anlernen",
    "v": "few several couple paar einige mehrere some",
    ",": ", ; ( ) [ ] { } | … • ·",
    ".": ". ? !",
    "z": "i you he she we they it this that these those me us them him her which what who whom how why "
    "when where there here do does did done can could would may might am were been if then than "
    "so as by but or yes please now today tomorrow tonight again later soon quickly fast asap "
    "model models modell modelle modells modellen training trainings trained job jobs "
    "auftrag auftraege task aufgabe named all any each every both other another same new small "
    "smaller big bigger large larger good better best cheap cheaper cheapest fastest available own "
    "different free none unlimited flexible whatever low lowest high higher minimal optimal "
    "default settings let lets give show list tell display describe explain validate check inspect "
    "prepare import upload delete remove load open download analyze analyse convert "
    "choose pick select build create make run start launch begin estimate plan stop cancel abort "
    "test tests testing validation evaluation eval set split sets text texts demand average top "
    "aws amazon cloud sagemaker bedrock pytorch tensorflow huggingface transformers lora qlora "
    "peft spacy cuda python laptop server local everything something anything nothing much many "
    "more less most least details info information size preview statistics stats names name "
    "status page quota quotas limit region regions english german french clinical medical called "
    "noch schon remaining current rest ganz sehr sofort schnell overnight long recently yet still before after until while since because perfect great "
    "ok okay thanks thank hello hi hey ich du er sie es wir ihr mir mich uns was wer wie welche "
    "welcher welches welchen wann wo warum gibt haben habe hat kann koennen koennte koenntest "
    "wuerde wuerdest bitte jetzt heute morgen nochmal wieder dann als oder aber wenn damit dazu "
    "darauf dieser diese dieses diesem diesen derselben dieselbe demselben gleichen gleiche neue "
    "neuen kleinen grossen besten guenstigste guenstigsten billigste verfuegbar verfuegbare "
    "zeige zeig liste starte starten erstelle erstellen baue stoppe beende zum zur im vom um "
    "aus zu nach ueber unter ja nein doch mal auch nur sich man recognition "
    "recognize detection extract extraction answering question questions answer summary tagging "
    "freigabe genehmigung approval decision entscheidung going possible enough first second third last past previous next ago old "
    "queue queued queueing queuing enqueue schedule scheduled postpone defer delay begin begins commence "
    "wait waits waiting warte warten wartezeit warteschlange einreihen einplanen verschiebe capacity "
    "kontingent kapazitaet beginne beginnen beginn noon midnight midday mitternacht uhr oclock pm am "
    "monday tuesday wednesday thursday friday saturday sunday montag dienstag mittwoch donnerstag "
    "freitag samstag sonntag uebermorgen evening abend afternoon nachmittag fruehestens "
    "weekend weekends wochenende christmas xmas weihnachten heiligabend silvester easter ostern month "
    "months monat year years jahr january february april june july august september october november "
    "december januar februar maerz juni juli oktober dezember reicht reichen genuegt genug",
}
_NAMED = {
    "F": {
        "f1": "f1 f1score f1-score f1wert f1-wert f1-mass f-score f-measure f-mass fscore f-1 f₁ "
        "macro-f1 micro-f1 entity-f1",
        "precision": "precision praezision",
        "recall": "recall sensitivity trefferquote",
        "accuracy": "accuracy acc genauigkeit",
    },
    "K": {
        "token-classification": "ner|named entity recognition|named entities|named entity|"
        "entity recognition|entity extraction|entity detection|extract entities|token classification|"
        "token-classification|sequence labeling|sequence labelling|sequence tagging|nerc|"
        "eigennamenerkennung|entitaetenerkennung|entitaetserkennung|namenserkennung|entitaeten|"
        "entity tagging|entity model|entity|entities|entitaet",
        "text-classification": "text classification|text-classification|sentiment|sentiment analysis|"
        "sentimentanalyse|textklassifikation|textklassifizierung|classifier|classification|classify|"
        "document classification|klassifikation|klassifikator|stimmungsanalyse|topic classification",
        "question-answering": "qa|q&a|question answering|question-answering|answer questions|"
        "fragebeantwortung|reading comprehension",
        "summarization": "summarization|summarisation|summarize|summarise|summarizer|summaries|"
        "zusammenfassung|textzusammenfassung",
        "translation": "translation|translate|machine translation|uebersetzung|translator",
    },
    "<": {
        "<": "<|less than|lower than|fewer than|under|below|cheaper than|shorter than|faster than|"
        "weniger als|kleiner als|unter|kuerzer als|billiger als|worse than|schlechter als|lt|"
        "smaller than|beneath",
        "<=": "<=|=<|≤|at most|atmost|up to|upto|max|maximum|maximal|maximally|hoechstens|bis zu|"
        "limit|cap|capped|ceiling|obergrenze|limited to|or less|or fewer|or under|or below|or cheaper|"
        "oder weniger|tops|within|innerhalb|innerhalb von|binnen|less than or equal to|maximale|"
        "maximales|maximalen|maximaler|lte|le|not to exceed|or faster|spaetestens|laengstens",
    },
    ">": {
        ">": ">|more than|greater than|higher than|over|above|better than|exceed|exceeds|exceeding|"
        "beyond|beat|beats|surpass|surpasses|longer than|later than|mehr als|groesser als|hoeher als|"
        "besser als|ueber|laenger als|spaeter als|oberhalb|ueberschreiten|uebersteigen|gt|larger than",
        ">=": ">=|=>|≥|at least|atleast|min|minimum|mindestens|or more|or better|or higher|or above|"
        "or greater|oder mehr|oder besser|oder hoeher|greater than or equal to|more than or equal to|"
        "wenigstens|reach|reaches|reaching|achieve|achieves|achieving|hit|hits|erreichen|erreicht|"
        "mind|gte|ge|zumindest",
    },
    "!": {
        "not": "instead of|rather than|do not|does not|is not|should not|must not|will not|may not"
    },
    "C": {"": "make it|i mean|scratch that|no wait|besser gesagt|change it to|mach daraus"},
    "Q": {"": "on demand"},
    "L": {"crf": "conditional random field|conditional random fields"},
    "%": {"": "per cent|percentage points"},
}
_UNIT_SECONDS = {
    Decimal(1): "s sec secs second seconds sek sekunde sekunden",
    Decimal(60): "m min mins minute minutes minuten",
    Decimal(900): "viertelstunde viertelstunden",
    Decimal(2700): "dreiviertelstunde dreiviertelstunden",
    Decimal(3600): "h hr hrs hour hours std stunde stunden",
    Decimal(86400): "d day days tag tage tagen",
    Decimal(604800): "w week weeks woche wochen",
}
_ENGLISH = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_GERMAN = (
    "null eins zwei drei vier fuenf sechs sieben acht neun zehn elf zwoelf dreizehn vierzehn "
    "fuenfzehn sechzehn siebzehn achtzehn neunzehn"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ZEHNER = "zwanzig dreissig vierzig fuenfzig sechzig siebzig achtzig neunzig"
_TYPO_WORDS = (
    "budget dataset datasets minute minutes hours dollars cents score accuracy precision recall "
    "percent train training named entity entities recognition classification sentiment "
    "summarization translation model within maximum minimum instance instances above below under "
    "least datensatz stunde stunden minuten prozent dollar hoechstens mindestens trainiere "
    "question answering translate estimate deadline eigennamenerkennung tomorrow tonight midnight "
    "monday tuesday wednesday thursday friday saturday sunday montag dienstag mittwoch donnerstag "
    "freitag samstag sonntag uebermorgen"
)
NOT_TYPOS = frozenset(
    "brain trail trait drain grain strain yours house store scope tours modes modal motel medal "
    "raining straining collars wonder lease beast feast yeast cease thunder tunder scents accents "
    "flower bellow mellow yellow".split()
)


def _lexicon() -> dict[str, Entry]:
    entries = {word: Entry(tag) for tag, words in _TAGS.items() for word in words.split()}
    for tag, names in _NAMED.items():
        for name, words in names.items():
            spelled = words.split() if tag == "F" else words.split("|")
            entries |= {word: Entry(tag, name) for word in spelled}
    for seconds, words in _UNIT_SECONDS.items():
        entries |= {word: Entry("U", number=seconds) for word in words.split()}
    for phrase in ("quarter of an hour", "quarters of an hour", "quarter hour", "quarter-hour"):
        entries[phrase] = Entry("U", number=Decimal(900))
    entries["three-quarters of an hour"] = Entry("Z", number=Decimal(2700))
    return entries | {word: Entry("N", number=Decimal(n)) for word, n in _number_words().items()}


def _number_words() -> dict[str, str]:
    words = {w: str(n) for row in (_ENGLISH, _GERMAN) for n, w in enumerate(row.split())}
    units = ["ein", *_GERMAN.split()[2:10]]
    for n, (ten, zehn) in enumerate(zip(_TENS.split(), _ZEHNER.split(), strict=True), start=2):
        words |= {ten: f"{n}0", zehn: f"{n}0"}
        words |= {f"{unit}und{zehn}": f"{n}{u}" for u, unit in enumerate(units, start=1)}
    words |= {f"{unit}hundert": f"{u}00" for u, unit in enumerate(units, start=1)}
    words |= {f"{unit}einhalb": f"{u}.5" for u, unit in enumerate(units, start=1)}
    words |= {
        "fourty": "40",
        "hundred": "100",
        "hundert": "100",
        "thousand": "1000",
        "million": "1000000",
    }
    return words | {"tausend": "1000", "anderthalb": "1.5", "½": "0.5", "¼": "0.25", "¾": "0.75"}


def _typos() -> dict[str, str]:
    """Each keyword and each keyword short of one letter; two words that meet here are one slip apart."""
    return {near: word for word in _TYPO_WORDS.split() for near in shortened(word)}


def shortened(word: str) -> set[str]:
    return {word} | {word[:i] + word[i + 1 :] for i in range(len(word))}


LEXICON = _lexicon()
TYPOS = _typos()
