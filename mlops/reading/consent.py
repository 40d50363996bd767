"""A reading in, a bare yes or no to a plan that waits out."""

from mlops.reading.quantities import Reading

_YES = frozenset(
    "yes yep yeah ja jawohl jep approve approved confirm confirmed proceed accept accepted agreed "
    "genehmigt genehmige freigeben freigegeben einverstanden bestaetigt ok okay sure go los".split()
)
_NO = frozenset(
    "no nope nah nein reject rejected decline declined deny cancel not dont nicht ablehnen abgelehnt "
    "stop never abbrechen abbrich brich abort lieber forget vergiss drop scrap discard verwirf "
    "verwerfe streiche lass".split()
)
# "Not now", "not yet" is no no.
_LATER = frozenset("now yet jetzt noch".split())
_NOT = frozenset("not dont nicht".split())
# "Don't cancel it" wants it kept.
_ENDING = frozenset(
    "stop cancel abort abbrechen abbrich brich forget vergiss drop scrap discard verwirf decline reject "
    "verwerfe streiche ablehnen".split()
)
_FILLERS = frozenset(
    "please bitte it that this the plan ahead for do i launch start run , . ! das den es mach und "
    "and ich thanks danke with 'd doch sounds looks good of course natuerlich gern gerne "
    "now jetzt starten starte actually eigentlich ab mind then dann hm oh ah all sein yet noch this "
    "diesen diese".split()
)


def approval(reading: Reading) -> bool | None:
    """A bare yes or no to a waiting plan; None as soon as anything else is said."""
    keys = {part for token in reading.tokens for part in token.key.split()}
    if len(reading.tokens) > 10 or not keys <= _YES | _NO | _FILLERS:
        return None
    yes = bool(keys & _YES) or keys >= {"do", "it"} or keys >= {"launch", "it"}
    no = bool(keys & _NO)
    if not yes and not no:
        return None
    if keys & _NOT | keys & {"never"} and keys & _ENDING:
        return None
    is_later = bool(keys & _LATER) and not keys & _NO - _NOT
    return None if no and is_later else not no
