"""What the core offers: its own commands come in by the same door as everyone's."""

from slimcore.hooks import Offer, hookimpl


@hookimpl
def slim_commands() -> dict[str, Offer]:
    return {
        "list": Offer("slimcore.commands.listing:list_components", "List what plugins offer."),
        "info": Offer("slimcore.commands.info:info", "Show what is known of one component."),
        "doctor": Offer("slimcore.commands.doctor:doctor", "Find what is wrong, and the remedy."),
    }
