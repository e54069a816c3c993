"""OpenStack Swift with its S3 API, whole and in one process, its files in the directory given.

Makes the bucket `governance` for the access key `test:tester` with the secret `testing`, prints its port, ends when its
input does. Needs the package python3-swift and a file system with extended attributes.
"""

import eventlet

eventlet.monkey_patch()

import os
import sys

import eventlet.wsgi
from eventlet import tpool

ROOT = sys.argv[1]
STORES = ("account", "container", "object")
DEFAULTS = f"""
[DEFAULT]
swift_dir = {ROOT}
devices = {ROOT}/devices
recon_cache_path = {ROOT}
mount_check = false
fallocate_reserve = 0
"""
STORE = """
[pipeline:main]
pipeline = store

[app:store]
use = egg:swift#%s
"""
PROXY = """
[pipeline:main]
pipeline = catch_errors listing_formats s3api tempauth bulk slo proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true

[filter:catch_errors]
use = egg:swift#catch_errors

[filter:listing_formats]
use = egg:swift#listing_formats

[filter:s3api]
use = egg:swift#s3api
location = us-east-1

[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin

[filter:bulk]
use = egg:swift#bulk

[filter:slo]
use = egg:swift#slo
"""


class Memory:
    """What Swift asks of memcached, for one process."""

    def __init__(self):
        self._held = {}

    def get(self, key, **_):
        return self._held.get(key)

    def set(self, key, value, **_):
        self._held[key] = value

    def delete(self, key, **_):
        self._held.pop(key, None)

    def incr(self, key, delta=1, **_):
        self._held[key] = self._held.get(key, 0) + delta
        return self._held[key]


def write(name, text):
    path = os.path.join(ROOT, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def main():
    from swift.common import utils

    utils.SWIFT_CONF_FILE = write(
        "swift.conf", "[swift-hash]\nswift_hash_path_suffix = test\n\n[storage-policy:0]\nname = one\ndefault = yes\n"
    )
    utils.validate_configuration()
    from swift.common.ring import RingBuilder
    from swift.common.storage_policy import reload_storage_policies
    from swift.common.swob import Request
    from swift.common.wsgi import loadapp

    reload_storage_policies()
    os.makedirs(os.path.join(ROOT, "devices", "disk"))
    memory = Memory()

    def serve(name, listening, text):
        app = loadapp(write(name + ".conf", DEFAULTS + text))

        def remembering(environment, start):
            environment["swift.cache"] = memory
            return app(environment, start)

        eventlet.spawn(eventlet.wsgi.server, listening, remembering, log_output=False, keepalive=True)
        return app

    for store in STORES:
        listening = eventlet.listen(("127.0.0.1", 0))
        ring = RingBuilder(1, 1, 0)
        place = {"ip": "127.0.0.1", "port": listening.getsockname()[1]}
        replica = {"replication_" + key: value for key, value in place.items()}
        ring.add_dev({"id": 0, "region": 1, "zone": 1, "device": "disk", "weight": 1.0, "meta": "", **place, **replica})
        ring.rebalance()
        ring.get_ring().save(os.path.join(ROOT, store + ".ring.gz"))
        serve(store, listening, STORE % store)
    listening = eventlet.listen(("127.0.0.1", 0))
    proxy = serve("proxy", listening, PROXY)
    environment = {"REQUEST_METHOD": "PUT", "swift.authorize_override": True, "swift.cache": memory}
    made = Request.blank("/v1/AUTH_test/governance", environ=environment).get_response(proxy)
    if made.status_int != 201:
        sys.exit(f"The bucket cannot be made: {made.status}")
    print(listening.getsockname()[1], flush=True)
    tpool.execute(sys.stdin.read)


main()
