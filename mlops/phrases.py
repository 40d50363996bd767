"""A phrase's name, a language and the facts in, a sentence out: what the offline planner says, twice."""

from mlops.language import Language

_EXAMPLE = "Train a NER model on the ciER dataset, at most $10, 1 hour, F1 above 85%"
_BEISPIEL = "Trainiere ein NER-Modell auf cier, höchstens 10 Dollar, 1 Stunde, F1 über 85 %"

_PHRASES: dict[str, tuple[str, str]] = {
    "help": (
        "I train named entity recognition models within a budget. Say for example: "
        f'"{_EXAMPLE}". You can also ask for datasets, GPU prices, jobs and costs.',
        "Ich trainiere Modelle zur Namenserkennung (NER) im Rahmen eines Budgets. Sag zum Beispiel: "
        f"„{_BEISPIEL}“. Du kannst auch nach Datensätzen, GPU-Preisen, Jobs und Kosten fragen.",
    ),
    "hello": ("Hello. {help}", "Hallo. {help}"),
    "thanks": ("You are welcome.", "Gern geschehen."),
    "not_worked": ("That did not work.", "Das hat nicht geklappt."),
    "ways_out": ("Ways out, by letter:", "Auswege, mit Buchstaben:"),
    "no_datasets": (
        "There are no datasets yet. Import one on the Datasets page.",
        "Es gibt noch keine Datensätze. Auf der Seite „Datasets“ kann man einen importieren.",
    ),
    "datasets": ("There are {count} datasets:", "Es gibt {count} Datensätze:"),
    "which_dataset": (
        "Which dataset shall I train on? There are: {names}.",
        "Welchen Datensatz soll ich nehmen? Es gibt: {names}.",
    ),
    "none_yet": ("none yet", "noch keinen"),
    "cheapest_gpu": (
        "The cheapest GPU you can have now is {name}.",
        "Die günstigste GPU, die gerade frei ist, ist {name}.",
    ),
    "no_gpu": (
        "No GPU instance has free quota now.",
        "Für keine GPU-Instanz ist gerade Kontingent frei.",
    ),
    "list_prices": (
        "Prices are list prices; money here is metered, not billed.",
        "Das sind Listenpreise; hier wird nur gezählt, nichts abgerechnet.",
    ),
    "per_hour": ("${usd} per hour", "${usd} pro Stunde"),
    "no_price": ("no known price", "kein bekannter Preis"),
    "as_of": (", list price as of {date}", ", Listenpreis vom {date}"),
    "offer": (
        "- {name}: {gpu}, {price}; free quota: {free}",
        "- {name}: {gpu}, {price}; freies Kontingent: {free}",
    ),
    "no_offer": (
        "I know neither price nor quota of this instance type here.",
        "Zu diesem Instanztyp kenne ich hier weder Preis noch Kontingent.",
    ),
    "spot_price": (", on spot about {usd}", ", als Spot etwa {usd}"),
    "unknown": ("unknown", "unbekannt"),
    "of": ("{part} of {whole}", "{part} von {whole}"),
    "no_jobs": ("There are no training jobs yet.", "Es gibt noch keine Trainingsjobs."),
    "jobs": ("The latest training jobs:", "Die letzten Trainingsjobs:"),
    "job": (
        "- {name}: {state} on {where}{cost}{score}",
        "- {name}: {state} auf {where}{cost}{score}",
    ),
    "score": (", test F1 {f1:.4f}", ", Test-F1 {f1:.4f}"),
    "job_cost": (
        "{name} has cost ${usd} for {seconds} billed seconds on {where}.",
        "{name} hat ${usd} gekostet: {seconds} abgerechnete Sekunden auf {where}.",
    ),
    "job_running": (
        "{name} is {state}; what it costs is known when it has ended, at most {usd}.",
        "{name} ist {state}; was es kostet, steht fest, wenn es endet: höchstens {usd}.",
    ),
    "costs": (
        "In {month} you have spent ${spent} of ${limit}; ${reserved} are reserved, "
        "${left} are left.",
        "Im Monat {month} sind ${spent} von ${limit} ausgegeben; ${reserved} sind reserviert, "
        "${left} sind übrig.",
    ),
    "sandbox": (
        " This is a sandbox: metered, not billed.",
        " Dies ist eine Sandbox: gezählt, nicht abgerechnet.",
    ),
    "plan": (
        "The plan for {name} can cost at most {usd}.",
        "Der Plan für {name} kann höchstens {usd} kosten.",
    ),
    "stage": (
        "- Stage {number}: {model} on {where}{spot} at ${price} per hour, about {low}–{high} s, "
        "at most {usd}.",
        "- Stufe {number}: {model} auf {where}{spot} zu ${price} pro Stunde, etwa {low}–{high} s, "
        "höchstens {usd}.",
    ),
    "spot": (" (spot)", " (Spot)"),
    "synthetic": ("The dataset is synthetic.", "Der Datensatz ist synthetisch."),
    "synthetic_mark": ("synthetic, ", "synthetisch, "),
    "sentences": ("{count} sentences, ", "{count} Sätze, "),
    "launched": (
        "Training has started: {name} on {where}, at most {usd}. I follow it; the report will "
        "appear here.",
        "Das Training läuft: {name} auf {where}, höchstens {usd}. Ich bleibe dran; der Bericht "
        "erscheint hier.",
    ),
    "queued": (
        "The plan is approved and waits; nothing runs yet. {message}",
        "Der Plan ist freigegeben und wartet; noch läuft nichts. {message}",
    ),
    "cancelled": (
        "{plan} is out of the queue: nothing was started, and {usd} are given back.",
        "{plan} wartet nicht mehr: nichts wurde gestartet, {usd} sind wieder frei.",
    ),
    "stopped": (
        "{name} is {state}. What it used until now is charged.",
        "{name} ist {state}. Was bis jetzt verbraucht wurde, zählt.",
    ),
    "none_runs": ("No training job is running.", "Es läuft kein Trainingsjob."),
    "has_ended": ("{name} is not running: it is {state}.", "{name} läuft nicht: {state}."),
    "which_job": (
        "Several jobs are running. Which one shall I stop?",
        "Mehrere Jobs laufen. Welchen soll ich stoppen?",
    ),
    "failed_because": ("{name} failed: {why}", "{name} ist gescheitert: {why}"),
    "ended_because": ("{name} is {state}: {why}.", "{name} ist {state}: {why}."),
    "did_not_fail": (
        "{name} did not fail; it is {state}.",
        "{name} ist nicht gescheitert: {state}.",
    ),
    "first_look": (
        "First I look for the dataset and at the market.",
        "Zuerst sehe ich nach dem Datensatz und dem Markt.",
    ),
    "validate": (
        "Before any money is spent I validate the data.",
        "Bevor Geld ausgegeben wird, prüfe ich die Daten.",
    ),
    "look_for_plan": (
        "Now I look for the cheapest plan that fits.",
        "Jetzt suche ich den günstigsten Plan, der passt.",
    ),
    "how_to_approve": (
        "Only the Approve button or `llmops approve {plan}` starts it; words in the chat do not.",
        "Nur der Knopf „Approve“ oder `llmops approve {plan}` startet ihn; Worte im Chat nicht.",
    ),
    "nothing_runs": (
        "Nothing was launched. The plan can still be approved or declined.",
        "Nichts wurde gestartet. Der Plan kann noch genehmigt oder abgelehnt werden.",
    ),
    "declined": (
        "The plan was declined. Nothing was launched and nothing was spent on training.",
        "Der Plan wurde abgelehnt. Nichts wurde gestartet und nichts für Training ausgegeben.",
    ),
    "why_plan": ("Why the plan is as it is:", "Warum der Plan so aussieht:"),
    "left_out": ("- Left out: {what}. {why}", "- Nicht dabei: {what}. {why}"),
    "unconfirmed": (
        "Unconfirmed numbers: {numbers}. No result of this conversation contains them.",
        "Unbestätigte Zahlen: {numbers}. Kein Ergebnis dieses Gesprächs enthält sie.",
    ),
}
_STATES = {
    "starting": "wird gestartet",
    "training": "am Trainieren",
    "uploading": "am Hochladen",
    "stopping": "wird gestoppt",
    "completed": "fertig",
    "failed": "gescheitert",
    "stopped": "gestoppt",
}


def say(name: str, language: Language, /, **facts: object) -> str:
    english, german = _PHRASES[name]
    return (german if language is Language.DE else english).format(**facts)


def state_in_words(state: str, language: Language) -> str:
    return _STATES.get(state, state) if language is Language.DE else state
