"""What no source here may do, in one list: run text or pickles, unpack anywhere, start a shell, trust any server."""

import ast

CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "tempfile.mktemp", "torch.save"}
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "torch.hub"}
METHODS = {"extractall", "extract", "unpack_archive", "unsafe_load", "read_pickle", "torch_load"}


def faults(source: str) -> list[str]:
    """What a source does that it must not do, with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {node.module} if isinstance(node, ast.ImportFrom) else {alias.name for alias in node.names}
            found += [f"{node.lineno}: imports {name}" for name in names & MODULES]
        if not isinstance(node, ast.Call):
            continue
        called, options = ast.unparse(node.func), {one.arg: ast.unparse(one.value) for one in node.keywords}
        last = called.rsplit(".", 1)[-1]
        if called in CALLS or (last in METHODS and options.get("filter") != "'data'"):
            found.append(f"{node.lineno}: calls {called}")
        if called == "torch.load" and options.get("weights_only") != "True":
            found.append(f"{node.lineno}: torch.load without weights_only=True")
        if called in ("np.load", "numpy.load") and options.get("allow_pickle", "False") != "False":
            found.append(f"{node.lineno}: numpy.load of pickles")
        if called in ("yaml.load", "joblib.load"):
            found.append(f"{node.lineno}: {called} makes any object")
        if options.get("shell", "False") != "False":
            found.append(f"{node.lineno}: runs a shell")
        if options.get("verify") == "False" or "_create_unverified_context" in called:
            found.append(f"{node.lineno}: trusts any server")
    return found
