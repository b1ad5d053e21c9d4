"""Before any test: two logical devices, for the tests of `tf.distribute` among them.

These reduce to one device: collectives of two strategies in one process take each other's place.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def pytest_configure(config):
    distributes_tests = config.getoption("numprocesses", None) and not hasattr(
        config, "workerinput"
    )
    if distributes_tests:
        return  # this process only hands tests out
    import tensorflow as tf

    # TensorFlow takes this only before its first operation, whichever test that is in.
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
