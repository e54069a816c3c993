"""Files that would run code or leave a directory if something loaded or unpacked them. They are written here, never loaded."""

import io
import json
import tarfile
import zipfile


def call(module, name, argument):
    """A pickle that calls module.name(argument) when it is loaded."""
    data = argument.encode()
    return b"\x80\x04c" + f"{module}\n{name}\n".encode() + b"(X" + len(data).to_bytes(4, "little") + data + b"tR."


def archive(names):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped:
        for name, content in names.items():
            zipped.writestr(name, content)
    return out.getvalue()


def tar(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tarred:
        for name, kind, link in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, link
            content = b"" if link else b"x"
            member.size = len(content)
            tarred.addfile(member, io.BytesIO(content))
    return out.getvalue()


def mlmodel(flavor, **members):
    return f"flavors:\n  {flavor}:\n".encode() + b"".join(f"    {key}: {value}\n".encode() for key, value in members.items())


SYSTEM = call("posix", "system", "true")
LAMBDA = {"class_name": "Functional", "config": {"layers": [{"class_name": "Lambda", "config": {"function": ["4wEAAAA=", None, None]}}]}}

FILES = {
    "system": lambda: SYSTEM,
    "os-system": lambda: call("os", "system", "true"),
    "builtins-exec": lambda: call("builtins", "exec", "0"),
    "builtins-eval": lambda: call("builtins", "eval", "0"),
    "subprocess": lambda: call("subprocess", "check_output", "true"),
    "cloudpickle": lambda: call("cloudpickle.cloudpickle", "_make_function", "x"),
    "nested": lambda: call("pickle", "loads", "x"),
    "torch": lambda: archive({"archive/data.pkl": SYSTEM, "archive/version": b"3\n"}),
    "keras": lambda: archive({"config.json": json.dumps(LAMBDA), "metadata.json": "{}"}),
    "tar": lambda: tar([("../escape", tarfile.REGTYPE, "")]),
    "tar-absolute": lambda: tar([("/tmp/escape", tarfile.REGTYPE, "")]),
    "tar-symlink": lambda: tar([("link", tarfile.SYMTYPE, "/etc"), ("link/escape", tarfile.REGTYPE, "")]),
    "tar-hardlink": lambda: tar([("link", tarfile.LNKTYPE, "../../etc/passwd")]),
    "zip-slip": lambda: archive({"../../escape": "x"}),
    "recipe": lambda: b"recipe: regression/v1\ntarget_col: '{{ \"\".__class__.__mro__ }}'\nsteps:\n  train:\n    estimator_method: os.system\n",
    "mlproject": lambda: b"name: x\nentry_points:\n  main:\n    command: \"python x.py; id > /tmp/x\"\n",
    "agent": lambda: b"_type: zero-shot\nllm: !!python/object/apply:os.system ['true']\n",
    "python-env": lambda: b"python: 3.11.2\nbuild_dependencies:\n- pip==24.0\ndependencies:\n- \"x; id > /tmp/x\"\n",
    "mlmodel-sklearn": lambda: mlmodel("sklearn", pickled_model="model.pkl", serialization_format="cloudpickle"),
    "mlmodel-pyfunc": lambda: mlmodel("python_function", loader_module="mlflow.pyfunc.model", python_model="python_model.pkl"),
    "mlmodel-statsmodels": lambda: mlmodel("python_function", loader_module="mlflow.statsmodels", data="model.statsmodels"),
    "mlmodel-pmdarima": lambda: mlmodel("pmdarima", pickled_model="model.pmd"),
    "mlmodel-lightgbm": lambda: mlmodel("lightgbm", model_class="lightgbm.sklearn.LGBMClassifier", data="model.pkl"),
    "mlmodel-tensorflow": lambda: mlmodel("tensorflow", model_type="keras", data="model.keras"),
    "mlmodel-langchain": lambda: mlmodel("langchain", agent_data="agent.yaml", model_data="agent.pkl"),
    "mlmodel-pytorch": lambda: mlmodel("pytorch", model_data="data"),
    "mlmodel-script": lambda: b"flavors:\n  python_function:\n    loader_module: os\n    env: '<script>alert(1)</script>'\n",
}


def make(kind):
    return FILES[kind]()
