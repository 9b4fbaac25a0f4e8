"""Sources of compiled kernels count without their comments."""

from packages import RUN, Make, edited

from tips import code

KERNEL = '#include <cmath>\n#include "taps.h"\n\nint two() { return 2; }  // a comment\n'
TAPS = '#include "deep.h"\n#define URL "http://x y" /* long\ncomment */\nint  one();\n'


def test_sources_of_reached_kernels_count_without_comments(make: Make) -> None:
    files = {
        "main.py": "from tips.ops import attn\ndef run():\n    return attn.call()\n",
        "ops/attn.py": "def call():\n    return 1\n",
        "ops/warp.py": "X = 1\n",
        "../csrc/attn.cpp": KERNEL,
        "../csrc/attn.cu": "int x;\n",
        "../csrc/taps.h": TAPS,
        "../csrc/deep.h": "int deep;\n",
        "../csrc/warp.cpp": "int warp;\n",
        "../csrc/apart.h": "int apart;\n",
    }
    package = make(files)
    found = [f"csrc/{name}" for name in ("attn.cpp", "attn.cu", "deep.h", "taps.h")]
    assert [name for name in code.used(RUN, package=package) if "csrc" in name] == found
    taps = "../csrc/taps.h"
    comment = {taps: TAPS.replace("long\n", "short").replace("int  one", "// new\nint\none")}
    assert edited(package, comment, RUN) == []
    words = {"../csrc/attn.cpp": KERNEL.replace("a comment", "words").replace("{ ", "{\n  ")}
    assert edited(package, words, RUN) == []
    assert edited(package, {taps: TAPS.replace("//x y", "//x  y")}, RUN) == ["csrc/taps.h"]
    assert edited(package, {"../csrc/deep.h": "int deeper;\n"}, RUN) == ["csrc/deep.h"]
    assert edited(package, {"../csrc/apart.h": "int a;\n", "../csrc/warp.cpp": ";"}, RUN) == []
    unused = {"main.py": "from tips.ops import attn\ndef run():\n    return 1\n"}
    assert edited(package, unused, RUN) == sorted(["main.py", "ops/attn.py", *found])
