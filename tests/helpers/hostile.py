"""Texts that mean something to a browser, a terminal, LaTeX or a template, and should mean nothing
here.
"""

PAYLOADS = (
    "<script>document.documentElement.dataset.taken = 1</script>",
    "<img src=x onerror=\"document.documentElement.dataset.taken=1\">",
    "</title></style></svg></math><script>document.documentElement.dataset.taken=1</script>",
    "\"><svg onload=alert(1)>", "' onmouseover='alert(1)", "javascript:alert(1)",
    "<iframe src=https://example.com></iframe>", "<!--", "-->", "]]>", "<![CDATA[", "<?xml?>",
    "&lt;b&gt;", "&#60;script&#62;", "&#x1b;[2J", "{{ 7 * 7 }}", "{% raw %}", "{# x #}", "${7*7}",
    "\x1b[2J\x1b[31m", "\x9b31m", "\x1b]8;;https://example.com\x07link\x1b]8;;\x07",
    "a\rb\nc\x00\x08", "\u202e\u2066reversed", "[red]markup[/red]",
    "[link=https://example.com]x[/link]", "$\\href{https://example.com}{x}$",
    "$$\\input{/etc/passwd}$$", "\\n\\x1b", "</desc><script/>",
    "<math href=javascript:alert(1)><mi>x", "<mglyph src=x>",
    "<annotation-xml encoding=text/html><img src=x>",
)  # fmt: skip
