"""The options of `slim train` and `slim eval`: by both names, and what they become."""

import json
import math

import pytest
import tensorflow as tf
from slim_learning.commands.evaluate import evaluate
from slim_learning.commands.setup import new_setup
from slim_learning.commands.train import train
from slim_learning.optim import learning_rates, named_optimizers

import slimcore as slim
from slimcore.data_errors import BAD_DATA, explained


def parsed(command, *arguments):
    return command.make_context(command.name, list(arguments)).params


# As research/slim's train_image_classifier has them.
TRAIN = [
    ("--train_dir", "runs/x", "--logdir"),
    ("--dataset_name", "flowers", "--dataset"),
    ("--dataset_split_name", "validation", "--split"),
    ("--dataset_dir", "there", "--dataset-dir"),
    ("--model_name", "vgg_16", "--net"),
    ("--preprocessing_name", "vgg", "--preprocessing"),
    ("--batch_size", "7", "--batch-size"),
    ("--train_image_size", "96", "--image-size"),
    ("--max_number_of_steps", "9", "--steps"),
    ("--optimizer", "adadelta", "--optimizer"),
    ("--adam_beta1", "0.8", "--adam-beta1"),
    ("--adam_beta2", "0.9", "--adam-beta2"),
    ("--opt_epsilon", "0.1", "--opt-epsilon"),
    ("--momentum", "0.7", "--momentum"),
    ("--rmsprop_decay", "0.8", "--rmsprop-decay"),
    ("--rmsprop_momentum", "0.7", "--rmsprop-momentum"),
    ("--adagrad_initial_accumulator_value", "0.2", "--adagrad-initial-accumulator-value"),
    ("--adadelta_rho", "0.9", "--adadelta-rho"),
    ("--ftrl_learning_rate_power", "-0.4", "--ftrl-learning-rate-power"),
    ("--ftrl_initial_accumulator_value", "0.2", "--ftrl-initial-accumulator-value"),
    ("--ftrl_l1", "0.1", "--ftrl-l1"),
    ("--ftrl_l2", "0.1", "--ftrl-l2"),
    ("--learning_rate", "0.3", "--learning-rate"),
    ("--learning_rate_decay_type", "exponential", "--learning-rate-decay"),
    ("--end_learning_rate", "0.01", "--end-learning-rate"),
    ("--learning_rate_decay_factor", "0.5", "--learning-rate-decay-factor"),
    ("--num_epochs_per_decay", "1.5", "--epochs-per-decay"),
    ("--label_smoothing", "0.1", "--label-smoothing"),
    ("--weight_decay", "0.1", "--weight-decay"),
    ("--moving_average_decay", "0.99", "--moving-average-decay"),
    ("--log_every_n_steps", "3", "--log-every"),
    ("--save_summaries_secs", "30", "--summary-secs"),
    ("--save_interval_secs", "40", "--save-secs"),
    ("--checkpoint_path", "a.ckpt", "--checkpoint"),
    ("--checkpoint_exclude_scopes", "a,b/c", "--exclude-scopes"),
    ("--trainable_scopes", "a,b/c", "--trainable-scopes"),
    ("--labels_offset", "1", "--labels-offset"),
]

# As its eval_image_classifier has them.
EVAL = [
    ("--checkpoint_path", "a.ckpt", "--checkpoint"),
    ("--eval_dir", "there", "--to"),
    ("--max_num_batches", "4", "--batches"),
    ("--batch_size", "7", "--batch-size"),
    ("--dataset_name", "flowers", "--dataset"),
    ("--dataset_split_name", "validation", "--split"),
    ("--dataset_dir", "there", "--dataset-dir"),
    ("--labels_offset", "1", "--labels-offset"),
    ("--model_name", "vgg_16", "--net"),
    ("--preprocessing_name", "vgg", "--preprocessing"),
    ("--moving_average_decay", "0.99", "--moving-average-decay"),
    ("--eval_image_size", "96", "--image-size"),
    ("--eval_interval_secs", "5", "--interval-secs"),
]


@pytest.mark.parametrize("command, name, value, ours", [
    *((train, *row) for row in TRAIN),
    *((evaluate, *row) for row in EVAL),
], ids=lambda value: value if str(value).startswith("--") else "")  # fmt: skip
def test_a_flag_of_research_slim_is_taken_under_its_name(command, name, value, ours):
    there = () if name == "--train_dir" or command is evaluate else ("--logdir", "run")
    wanted = parsed(command, *there, ours, value)
    assert parsed(command, *there, name, value) == wanted
    assert parsed(command, *there, f"{name}={value}") == wanted
    assert wanted != parsed(command, *(there or ("--logdir", "run")))


def test_a_switch_of_research_slim_may_have_a_value():
    for given in (("--ignore_missing_vars",), ("--ignore_missing_vars=True",)):
        assert parsed(train, "--logdir", "run", *given)["ignore_missing"] is True
    given = ("--ignore_missing_vars=false", "--net", "lenet")
    assert parsed(train, "--logdir", "run", *given)["ignore_missing"] is False


def test_the_help_is_under_headings_and_shows_one_name_of_each(slim_main):
    _, said, _ = slim_main("train", "--help")
    for heading in ("Run:", "Network:", "Data:", "Fine-tuning:", "Optimizer:", "Learning rate:"):
        assert heading in said.splitlines()
    assert "--exclude-scopes" in said
    assert "--checkpoint_exclude_scopes" not in said


@pytest.mark.parametrize("name, settings, wanted", [
    # Keras' own defaults, and no Adam epsilon of 1.
    ("adam", {}, {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}),
    ("adam", {"adam_beta1": 0.8, "opt_epsilon": 0.1}, {"beta_1": 0.8, "epsilon": 0.1}),
    ("adamw", {"adam_beta2": 0.9}, {"beta_2": 0.9}),
    ("sgd", {}, {"momentum": 0.0}),
    ("momentum", {}, {"momentum": 0.9}),
    ("momentum", {"momentum": 0.5}, {"momentum": 0.5}),
    ("rmsprop", {"rmsprop_decay": 0.8}, {"rho": 0.8, "momentum": 0.9}),
    ("rmsprop", {"rmsprop_momentum": 0.0}, {"momentum": 0.0}),
    ("adagrad", {"adagrad_initial_accumulator_value": 0.2}, {"initial_accumulator_value": 0.2}),
    ("adadelta", {"adadelta_rho": 0.9}, {"rho": 0.9}),
    ("ftrl", {"ftrl_l1": 0.1, "ftrl_learning_rate_power": -0.4},
     {"l1_regularization_strength": 0.1, "learning_rate_power": -0.4}),
])  # fmt: skip
def test_optimizers_have_the_parameters_given_and_else_their_own(name, settings, wanted):
    config = named_optimizers.make(name, 0.25, settings).get_config()
    assert config["learning_rate"] == 0.25
    assert {key: config[key] for key in wanted} == pytest.approx(wanted)


def test_a_parameter_of_another_optimizer_is_named():
    with pytest.raises(slim.errors.InputError, match="--adam-beta1 belongs to --optimizer adam or"):
        named_optimizers.check("sgd", {"adam_beta1": 0.9})


RUN = {"learning_rate": 0.1, "batch_size": 10, "number_of_steps": 100}


@pytest.mark.parametrize("settings, wanted", [
    ({"learning_rate_decay": "fixed"}, {0: 0.1, 99: 0.1}),
    # Two epochs of 50 examples are 10 steps.
    ({"learning_rate_decay": "exponential"}, {9: 0.1, 10: 0.094, 29: 0.1 * 0.94**2}),
    ({"learning_rate_decay": "exponential", "epochs_per_decay": 1,
      "learning_rate_decay_factor": 0.5},
     {4: 0.1, 5: 0.05, 10: 0.025}),
    ({"learning_rate_decay": "exponential", "accumulate_steps": 2}, {4: 0.1, 5: 0.094}),
    ({"learning_rate_decay": "polynomial"}, {0: 0.1, 50: 0.05005, 100: 0.0001, 200: 0.0001}),
    ({"learning_rate_decay": "polynomial", "epochs_per_decay": 2, "end_learning_rate": 0.0},
     {5: 0.05, 10: 0.0}),
    ({"learning_rate_decay": "cosine", "end_learning_rate": 0.02},
     {25: 0.02 + 0.04 * (1 + math.cos(math.pi / 4)), 100: 0.02}),
    ({"warm_up_steps": 4}, {0: 0.025, 1: 0.05, 3: 0.1, 50: 0.1}),
    ({"warm_up_steps": 5, "learning_rate_decay": "exponential"}, {0: 0.02, 10: 0.094}),
])  # fmt: skip
def test_learning_rates_follow_their_formulas(settings, wanted):
    rate = learning_rates.learning_rate({**RUN, **settings}, 50)
    for step, value in wanted.items():
        found = rate(step) if callable(rate) else rate
        assert float(found) == pytest.approx(value, rel=1e-5, abs=1e-8), step


def test_a_decay_by_epochs_needs_the_size_of_an_epoch():
    with pytest.raises(slim.errors.InputError, match="does not tell its size"):
        learning_rates.learning_rate({**RUN, "learning_rate_decay": "exponential"}, None)


def test_what_is_asked_for_reaches_the_run_and_holds_when_it_goes_on(slim_main, tiny_net, tmp_path):
    options = {
        "--optimizer": "momentum", "--learning-rate-decay": "polynomial", "--warm-up-steps": 2,
        "--label-smoothing": 0.1, "--moving-average-decay": 0.9, "--accumulate-steps": 2,
        "--scale-gradients": "tiny/hidden=0", "--precision": "mixed_bfloat16", "--batch-size": 4,
        "--non-finite": "skip", "--labels-offset": 0, "--summary-secs": 100,
    }  # fmt: skip
    command = ("train", *tiny_net, "--logdir", tmp_path / "run")
    flags = [word for pair in options.items() for word in pair]
    status, _, errors = slim_main(*command, *flags, "--steps", 3)
    assert status == 0, errors
    first = json.loads((tmp_path / "run" / "run.json").read_text())
    reader = slim.checkpoints.load(str(tmp_path / "run"))
    assert reader.has_tensor("tiny/logits/weights/ExponentialMovingAverage")
    assert not reader.get_tensor("tiny/hidden/biases").any()
    assert reader.get_tensor("tiny/logits/biases").any()
    status, _, errors = slim_main("train", "--logdir", tmp_path / "run", "--steps", 4)
    assert status == 0, errors
    second = json.loads((tmp_path / "run" / "run.json").read_text())
    assert second["step"] == 4
    for name in (
        "optimizer",
        "learning_rate_decay",
        "warm_up_steps",
        "label_smoothing",
        "precision",
        "moving_average_decay",
        "accumulate_steps",
        "gradient_multipliers",
        "non_finite",
    ):
        assert first[name] == second[name], name
    assert first["gradient_multipliers"] == {"tiny/hidden": 0.0}


def test_a_second_classifier_has_a_loss_of_lower_weight(slim_main, tiny_net, tmp_path):
    def two_heads(images, num_classes=10, is_training=True):
        with slim.arg_scope([slim.fully_connected], weights_initializer=tf.zeros_initializer()):
            net, options = slim.flatten(images), {"activation_fn": None}
            logits = slim.fully_connected(net, num_classes, scope="logits", **options)
            auxiliary = slim.fully_connected(net, num_classes, scope="auxiliary", **options)
        return logits, {"AuxLogits": auxiliary}

    two_heads.default_image_size = 8
    slim.register_net(two_heads)
    command = ("train", *tiny_net, "--net", "two_heads", "--logdir", tmp_path, "--steps", 1)
    status, _, errors = slim_main(*command)
    assert status == 0, errors
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["results"]["train"]["loss"] == pytest.approx(1.4 * math.log(10))


def test_to_stop_early_needs_evaluations(slim_main, tmp_path):
    status, _, errors = slim_main("train", "--logdir", tmp_path / "run", "--early-stopping", 2)
    assert (status, "go with --eval-every" in errors) == (2, True)


def test_the_offset_is_taken_off_the_labels_and_its_classes_are_left_out():
    options = {"labels_offset": 1}
    setup = new_setup("lenet", "digits", split="test", task_options=options)
    assert (setup.task.num_outputs, setup.task.labels) == (9, tuple("123456789"))
    # The held-out digits begin with a 5 and a 0.
    dataset = setup.load("test", 1)
    batches = iter(dataset)
    assert next(batches)["label"].numpy() == [4]
    with pytest.raises(BAD_DATA) as raised:
        next(batches)
    error = explained(dataset, raised.value)
    assert isinstance(error, slim.errors.DataError)
    assert "has labels below --labels-offset 1" in str(error)
