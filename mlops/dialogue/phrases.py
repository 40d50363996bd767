"""What the offline planner says, each phrase in English and in German."""

import re

from mlops.dialogue.language import Language

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
        "{name} {state}; what it costs is known when it has ended, at most {usd}.",
        "{name} {state}; was es kostet, steht fest, wenn es endet: höchstens {usd}.",
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
        "{name} {state}. What it used until now is charged.",
        "{name} {state}. Was bis jetzt verbraucht wurde, zählt.",
    ),
    "none_runs": ("No training job is running.", "Es läuft kein Trainingsjob."),
    "shall_stop": (
        "{name} runs on {where}, but was not started in this conversation. Shall I stop it? Say yes, "
        "or its letter.",
        "{name} läuft auf {where}, wurde aber nicht in diesem Gespräch gestartet. Soll ich ihn stoppen? "
        "Sag ja oder den Buchstaben.",
    ),
    "which_queued": (
        "No training job is running. In the queue: {plans}. Say “stop” and the plan's id to take one "
        "out of it.",
        "Es läuft kein Trainingsjob. In der Warteschlange: {plans}. „Stoppe“ und die Kennung nimmt "
        "einen heraus.",
    ),
    "not_stopped": ("Nothing was stopped.", "Nichts wurde gestoppt."),
    "which_job": (
        "Several jobs are running. Which one shall I stop?",
        "Mehrere Jobs laufen. Welchen soll ich stoppen?",
    ),
    "failed_because": ("{name} failed: {why}", "{name} ist gescheitert: {why}"),
    "ended_because": ("{name} {state}: {why}.", "{name} {state}: {why}."),
    "did_not_fail": (
        "{name} did not fail; it {state}.",
        "{name} ist nicht gescheitert, sondern {state}.",
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
    "declined_plan": (
        "{plan} is declined. Nothing was launched and nothing was spent on training.",
        "{plan} ist abgelehnt. Nichts wurde gestartet und nichts für Training ausgegeben.",
    ),
    "waits": (
        "{plan} for {name} (at most {usd}) waits for your decision: press Approve or Decline, run "
        "`llmops approve {plan}`, or say “cancel the plan”.",
        "{plan} für {name} (höchstens {usd}) wartet auf deine Entscheidung: „Approve“ oder „Decline“ "
        "drücken, `llmops approve {plan}` aufrufen, oder „verwirf den Plan“ sagen.",
    ),
    "none_waits": (
        "No plan of this conversation waits for a decision.",
        "Kein Plan dieses Gesprächs wartet auf eine Entscheidung.",
    ),
    "not_a_change": (
        "I did not take that as a change of {plan} (at most {usd}). You can say: at most $10, 1 hour, "
        "F1 above 85%, on spot, or name another dataset; or press Approve or Decline.",
        "Das habe ich nicht als Änderung an {plan} (höchstens {usd}) verstanden. Du kannst sagen: "
        "höchstens 10 Dollar, 1 Stunde, F1 über 85 %, mit Spot, oder einen anderen Datensatz nennen; "
        "oder „Approve“ oder „Decline“ drücken.",
    ),
    "nothing_trained": ("Nothing is trained.", "Es wird nichts trainiert."),
    "no_rate": (
        "There is no exchange rate here; in dollars it is at most {usd}.",
        "Einen Wechselkurs gibt es hier nicht; in Dollar sind es höchstens {usd}.",
    ),
    "new_terms": (
        "New terms: {plan}, which waits in the queue with the old ones, is taken out of it.",
        "Neue Bedingungen: {plan}, der mit den alten in der Warteschlange steht, wird herausgenommen.",
    ),
    "still_runs": (
        "{plan} runs as it was approved, for at most ${usd}; new terms do not change a run, and "
        "nothing new was planned. Say “stop it” to end it. To train once more beside it, say the "
        "whole request again: that is a further run with money of its own.",
        "{plan} läuft so, wie er genehmigt wurde, für höchstens ${usd}; neue Bedingungen ändern "
        "daran nichts, und es wurde nichts Neues geplant. „Stopp es“ beendet den Lauf. Für einen "
        "weiteren Lauf daneben, mit eigenem Geld, sag die ganze Anfrage noch einmal.",
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
# With a verb: "{name} wird gestoppt".
_PREDICATES = {
    "starting": "wird gestartet",
    "training": "trainiert",
    "uploading": "lädt die Ergebnisse hoch",
    "stopping": "wird gestoppt",
    "completed": "ist fertig",
    "failed": "ist gescheitert",
    "stopped": "ist gestoppt",
}
# Sentences that the rules write in English only.
_REASONS = (
    (r"; cheaper (.+?) have no free quota", r"; günstiger, aber ohne freies Kontingent: \1"),
    (r"; it is in use now, so this waits", "; sie ist gerade belegt, darum wird gewartet"),
    (r" at (\$\S+)/h is expected to cost least of (\d+) types that fit \((\$[^)]*)\)",
     r" zu \1/h kostet von \2 passenden Typen voraussichtlich am wenigsten (\3)"),
    (r" at (\$\S+)/h is expected to cost least \((\$[^)]*)\)",
     r" zu \1/h kostet voraussichtlich am wenigsten (\2)"),
    (r", because you named it", ", weil du sie genannt hast"),
    (r": no (\S+) is free\.$", r": keine \1 ist frei."),
    (r": needs a GPU with (\S+) GiB, which (\S+) does not have\.$",
     r": braucht eine GPU mit \1 GiB, die \2 nicht hat."),
    (r": no instance type with a verified price and free quota\.$",
     ": kein Instanztyp mit geprüftem Preis und freiem Kontingent."),
    (r"^This back end cannot run its engine\.$", "Dieses Backend hat die nötige Engine nicht."),
)  # fmt: skip


def say(name: str, language: Language, /, **facts: object) -> str:
    english, german = _PHRASES[name]
    return (german if language is Language.DE else english).format(**facts)


def state_in_words(state: str, language: Language) -> str:
    return _STATES.get(state, state) if language is Language.DE else state


def state_predicate(state: str, language: Language) -> str:
    """ "is stopping", "wird gestoppt": what follows a job's name."""
    german = _PREDICATES.get(state, f"ist {state}")
    return german if language is Language.DE else f"is {state}"


def reason_in_words(reason: str, language: Language) -> str:
    """A reason of a plan; in German as far as its sentence is known, else quoted as it is."""
    if language is not Language.DE:
        return reason
    told = reason
    for english, german in _REASONS:
        told = re.sub(english, german, told)
    return told if told != reason else f"„{reason}“ (englisch)"
