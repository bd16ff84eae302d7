"""./dev lint: clang-tidy and clang-format over the sources, or those whose path contains one of the words given. What clang-tidy found in a file is kept
in the build folder until the file, what it includes, .clang-tidy or clang-tidy itself is another."""
import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

BUILD = "build-dev"
KEPT = os.path.join(BUILD, "lint")
FOR_CLANG = "-Wno-unknown-warning-option", "-Wno-unknown-pragmas", "-Wno-error"  # the build is gcc's
SHALLOW = "-Xclang", "-analyzer-config", "-Xclang", "mode=shallow"  # a tenth of the time; deeper it finds what helpers promise and it cannot see
FINDING = re.compile(r"^(?=\S+:\d+:\d+: (?:warning|error|fatal error):)", re.MULTILINE)


def sources(words):
    """path -> its compile commands (one for each instruction set), of all files that are built but the tests'."""
    found = {}
    with open(os.path.join(BUILD, "compile_commands.json")) as file:
        for entry in json.load(file):
            path = os.path.relpath(entry["file"])
            if path.endswith(".c") and not path.startswith(("tests/", "..", BUILD)) and (not words or any(word in path for word in words)):
                found.setdefault(path, []).append(shlex.split(entry["command"]))
    return found


def fingerprint(commands, common):
    """Of all that clang-tidy will read: the preprocessed text, comments too."""
    made_of = hashlib.sha256(common)
    for command in commands:
        command = command[os.path.basename(command[0]) == "ccache":]
        at = command.index("-o")
        command[at:at + 2] = ["-E", "-C"]
        made_of.update(" ".join(command).encode())
        made_of.update(subprocess.run(command, cwd=BUILD, stdout=subprocess.PIPE, check=True).stdout)
    return made_of.hexdigest()


def look(path, commands, common):
    """(what is said of the file, whether it was looked at now)."""
    kept, now = os.path.join(KEPT, path.replace("/", "_")), fingerprint(commands, common)
    if os.path.exists(kept):
        with open(kept) as file:
            if file.readline().strip() == now:
                return file.read(), False
    # one file a process: with several, clang-analyzer-valist takes the va_list of one for that of another
    done = subprocess.run(["clang-tidy", "-p", BUILD, "--quiet", *(f"--extra-arg={flag}" for flag in FOR_CLANG + SHALLOW), path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode and not FINDING.search(done.stdout):
        raise RuntimeError(f"clang-tidy {path} ended with {done.returncode}: {done.stderr}")
    with open(kept + ".new", "w") as file:
        file.write(now + "\n" + done.stdout.replace(os.getcwd() + "/", ""))
    os.replace(kept + ".new", kept)
    return done.stdout.replace(os.getcwd() + "/", ""), True


def unformatted(words):
    """How many files, headers and tests too, were compared with .clang-format (0 without the one program that decides), and a line for each that differs."""
    program = next((p for p in ("clang-format-14", "clang-format") if shutil.which(p)), None)
    if not program or " 14." not in subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout:
        print("lint: there is no clang-format 14 here: nothing is said of the layout", file=sys.stderr)
        return 0, []
    listed = subprocess.run(["git", "ls-files", "*.c", "*.h", "*.cu"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    files = [path for path in listed if os.path.exists(path) and (not words or any(word in path for word in words))]
    chunks = [files[k:k + 40] for k in range(0, len(files), 40)]
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        said = "".join(pool.map(lambda chunk: subprocess.run([program, "--dry-run", *chunk], stderr=subprocess.PIPE, text=True, check=True).stderr, chunks))
    first = {}
    for path, line in re.findall(r"^(\S+):(\d+):\d+: warning: code should be clang-formatted", said, re.MULTILINE):
        first.setdefault(path, line)
    return len(files), [f"{path}:{line}: from here on it is not laid out as .clang-format says; clang-format -i {path}" for path, line in sorted(first.items())]


def main():
    os.makedirs(KEPT, exist_ok=True)
    with open(".clang-tidy", "rb") as file:
        common = file.read() + repr(FOR_CLANG + SHALLOW).encode() + subprocess.run(["clang-tidy", "--version"], stdout=subprocess.PIPE, check=True).stdout
    files, (n_compared, layout) = sources(sys.argv[1:]), unformatted(sys.argv[1:])
    print("\n".join(layout), end="\n" if layout else "")
    if not files and not n_compared:
        sys.exit(f"no source has {' or '.join(sys.argv[1:])} in its path")
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        results = list(pool.map(lambda path: look(path, files[path], common), sorted(files)))
    findings = {finding.rstrip() for said, _ in results for finding in FINDING.split(said) if FINDING.match(finding)}  # of a header only once
    print("\n".join(sorted(findings)), end="\n" if findings else "")
    fresh = sum(now for _, now in results)
    print(f"lint: {len(files)} files, {fresh} looked at, {len(files) - fresh} as they were: {len(findings)} findings, {len(layout)} of {n_compared} to be laid out", file=sys.stderr)
    sys.exit(1 if findings or layout else 0)


main()
