"""What acme-csv-log follows. Read on discovery: hooks alone, nothing heavy."""

from acme_csv_log.log import add_lines
from slimcore import hookimpl


@hookimpl
def slim_scalars_logged(run, step, scalars):
    add_lines(run.logdir, "scalars", step, scalars)


@hookimpl
def slim_evaluation_done(run, step, results):
    numbers = {name: value for name, value in results.items() if isinstance(value, int | float)}
    add_lines(run.logdir, "evaluation", step, numbers)
