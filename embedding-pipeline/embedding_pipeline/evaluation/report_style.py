"""How the report looks, light and dark."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--paper:#f7f7f5;--surface:#fff;--line:#dcdcd6;--ink:#1b1b19;
--soft:#5c5c56;--c0:#4f46c8;--c1:#b4530a;--c2:#0f766e;--c3:#9d2463;--right:#137a3a;--wrong:#b3261e}
@media(prefers-color-scheme:dark){:root{--paper:#131315;--surface:#1b1b1e;--line:#34343a;
--ink:#f1f1ee;--soft:#a9a9b0;--c0:#a8a2ff;--c1:#f0a35e;--c2:#5ed0c4;--c3:#f08abf;--right:#6fd693;
--wrong:#ff9a92}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:26px;margin:0 0 4px}h2{font-size:19px;margin:0 0 8px}
h3{font-size:15px;margin:20px 0 8px}
p{margin:0 0 12px}
section{background:var(--surface);border:1px solid var(--line);border-radius:14px;
padding:18px;margin:16px 0;overflow-x:auto}
.keys{list-style:none;margin:0;padding:0;display:grid;gap:8px}
.keys li{display:flex;gap:10px;align-items:flex-start}
.key{display:inline-block;min-width:22px;height:22px;border-radius:6px;text-align:center;
line-height:22px;font-weight:600;font-size:13px;color:var(--paper)}
.key.line0,.key.line1{height:4px;vertical-align:middle}
.notice{color:var(--soft)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{text-align:right;padding:7px 10px;border-top:1px solid var(--line);vertical-align:top;
white-space:nowrap;font-variant-numeric:tabular-nums}
thead th{border-top:0;color:var(--soft);font-weight:500}
th:first-child{text-align:left;white-space:normal;min-width:220px;font-weight:500}
small{display:block;color:var(--soft);font-weight:400;font-size:12px}
svg{display:block;width:100%;height:auto;max-width:900px;margin:0 0 12px}
svg text{fill:var(--ink);font-size:13px}
svg .tick,svg .value{fill:var(--soft);font-size:12px}
svg .span{stroke:var(--ink);stroke-width:1.5}
svg .grid{stroke:var(--line)}
svg polyline{fill:none;stroke-width:2.5}
.bar0{fill:var(--c0);background:var(--c0)}.bar1{fill:var(--c1);background:var(--c1)}
.bar2{fill:var(--c2);background:var(--c2)}.bar3{fill:var(--c3);background:var(--c3)}
.line0{stroke:var(--right)}.line1{stroke:var(--wrong);stroke-dasharray:6 4}
.key.line0{background:var(--right)}.key.line1{background:var(--wrong)}
.asked{display:flex;max-width:100%;gap:14px;padding:10px 0;border-top:1px solid var(--line)}
.answers{min-width:0;display:flex;gap:8px;flex-wrap:wrap}
figure{margin:0;width:79px;font-size:12px;line-height:1.3}
figure img{display:block;border-radius:8px;border:3px solid transparent;width:79px;height:79px}
figure.query img{border-color:var(--c0)}
figure.right img{border-color:var(--right)}figure.wrong img{border-color:var(--wrong)}
figure.right figcaption span:first-child{color:var(--right);font-weight:600}
figure.wrong figcaption span:first-child{color:var(--wrong)}
figcaption span{display:block;overflow-wrap:anywhere}
.missing{display:block;height:79px;font-size:11px;color:var(--soft);overflow:hidden}
.none{color:var(--soft)}
"""
