// SPDX-License-Identifier: MIT
// Reports as one HTML page that needs nothing else: no script, no other file.
#include <fmt/format.h>

#include "audit/report_chart.h"
#include "audit/report_file.h"
#include "base/pluralize.h"

namespace snakepit::shm {

namespace {

constexpr std::string_view kStyle = R"(<style>
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#16202b;--soft:#5a6775;--line:#dfe4ea;
--good:#146c43;--good-bg:#e3f5ea;--bad:#a1201b;--bad-bg:#fdeaea;
--c0:#2f6fb5;--c1:#d97a1e;--c2:#3a9a5b;--c3:#8a5cc2;--c4:#c8485a;--c5:#1d9aa8;--c6:#9a8220;--c7:#8b95a1}
@media (prefers-color-scheme:dark){:root{--page:#12171d;--card:#1b222b;--ink:#e6ebf0;--soft:#9aa7b4;
--line:#2d3743;--good:#7fd9a5;--good-bg:#16301f;--bad:#ff9d96;--bad-bg:#3a1a1a;
--c0:#6ba6e8;--c1:#f0a259;--c2:#6cc98c;--c3:#b794ea;--c4:#ef7f8e;--c5:#55c6d2;--c6:#cdb551;--c7:#8592a0}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1080px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:26px;margin:0 0 4px}h2{font-size:17px;margin:0 0 12px}
.soft{color:var(--soft)}.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:20px;margin-top:20px}
.verdict{border-left:6px solid}.clean{border-left-color:var(--good)}.clean h2{color:var(--good)}
.broken{border-left-color:var(--bad)}.broken h2{color:var(--bad)}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(230px,1fr));gap:20px}
code{font:13px/1.4 ui-monospace,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{text-align:left;color:var(--soft);font-weight:600;border-bottom:1px solid var(--line)}
td,th{padding:5px 8px;vertical-align:top}td.n,th.n{text-align:right;white-space:nowrap}
.rows{overflow-x:auto}.rows table{font-size:13px}.rows tr:nth-child(even) td{background:var(--page)}
.rows td{white-space:nowrap}.rows td.d{white-space:normal;min-width:220px;overflow-wrap:anywhere}
.refused td{color:var(--bad)}svg{width:100%;height:auto;display:block}
svg text{fill:var(--soft);font-size:11px}svg .axis{stroke:var(--line);stroke-width:1}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;margin-top:8px;font-size:13px;color:var(--soft)}
.legend i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:6px}
@media print{body{background:#fff}.card{break-inside:avoid}.rows{break-inside:auto}}
</style>
)";

template <typename Map>
void add_counts(std::string& out, std::string_view title, const Map& counts) {
    out += fmt::format("<div><h2>{}</h2><table>", title);
    for (const auto& [name, count] : counts)
        out += fmt::format("<tr><td>{}</td><td class=\"n\">{}</td></tr>",
                           html_escaped(fmt::format("{}", name)), count);
    out += "</table></div>";
}

void add_verdict(std::string& out, const AuditVerdict& verdict) {
    out += fmt::format("<section class=\"card verdict {}\"><h2>{}</h2><p>{}</p>",
                       verdict.clean() ? "clean" : "broken",
                       verdict.clean() ? "The history is genuine" : "The history was changed",
                       html_escaped(verdict.summary()));
    if (!verdict.clean()) {
        out += "<ul>";
        for (const auto& finding : verdict.findings)
            out += fmt::format("<li>{}</li>", html_escaped(finding.what));
        out += "</ul>";
    }
    for (const auto& note : verdict.notes)
        out += fmt::format("<p class=\"soft\">{}</p>", html_escaped(note));
    out += fmt::format("<p class=\"soft\">{} checked, {}.</p></section>\n",
                       pluralize(verdict.rows, "row"),
                       pluralize(verdict.checkpoints, "signed checkpoint"));
}

void add_summary(std::string& out, const ReportContents& report) {
    const auto& s = report.summary;
    out += fmt::format(
        "<section class=\"card\"><div class=\"grid\"><div><h2>Rows</h2><table>"
        "<tr><td>in this report</td><td class=\"n\">{}</td></tr>"
        "<tr><td>numbers</td><td class=\"n\">{} – {}</td></tr>"
        "<tr><td>first</td><td class=\"n\">{}</td></tr>"
        "<tr><td>last</td><td class=\"n\">{}</td></tr></table></div>",
        s.rows, s.first_seq, s.last_seq, to_rfc3339(s.first).substr(0, 19),
        to_rfc3339(s.last).substr(0, 19));
    add_counts(out, "By result", s.results);
    add_counts(out, "By user", s.users);
    add_counts(out, "By kind", s.kinds);
    out += "</div></section>\n";
}

void add_graphs(std::string& out, const ReportGraphs& graphs) {
    out += "<section class=\"card\"><h2>Events over time</h2>" + bar_chart(graphs) + "</section>\n";
    out += "<section class=\"card\"><h2>Memory over time</h2>" +
           step_chart(graphs, graphs.bytes, "var(--c0)", Unit::bytes) +
           "<p class=\"soft\">Bytes of regions allocated and not freed yet, by the rows of the "
           "whole instance.</p></section>\n";
    out += "<section class=\"card\"><h2>Regions over time</h2>" +
           step_chart(graphs, graphs.regions, "var(--c2)", Unit::count) + "</section>\n";
}

}  // namespace

std::string html_escaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (c == '&')
            out += "&amp;";
        else if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else if (c == '"')
            out += "&quot;";
        else
            out += c;
    }
    return out;
}

void begin_html(ReportSink& sink, const ReportContents& report) {
    std::string out =
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width\"><title>";
    const auto instance = html_escaped(report.instance);
    out += fmt::format("Audit report of {}</title>\n", instance);
    out += kStyle;
    out += fmt::format(
        "</head><body><main>\n<h1>Audit report</h1><p class=\"soft\">Snakepit SHM, "
        "instance {}, made {}{}</p>\n",
        instance, to_rfc3339(report.made),
        report.filter.empty() ? "" : "; only " + html_escaped(report.filter));
    add_verdict(out, report.verdict);
    add_summary(out, report);
    add_graphs(out, report.summary.graphs);
    out += fmt::format(
        "<section class=\"card\"><h2>Checking this file</h2><p>Its last line signs "
        "every byte before it. <code>snakepit-shm audit verify FILE --key {}</code> "
        "finds any change.</p></section>\n",
        to_hex(report.key));
    out +=
        "<section class=\"card rows\"><h2>Rows</h2><table><thead><tr><th class=\"n\">#</th>"
        "<th>Time</th><th>Kind</th><th>Region</th><th class=\"n\">Process</th>"
        "<th class=\"n\">User</th><th>Result</th><th>Detail</th></tr></thead><tbody>\n";
    sink.add(out);
}

void add_html_row(std::string& out, const EventRow& row) {
    out += fmt::format(
        "<tr{}><td class=\"n\">{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td>"
        "<td class=\"n\">{}</td><td>{}</td><td class=\"d\">{}</td></tr>\n",
        row.result == "ok" ? "" : " class=\"refused\"", row.seq, to_rfc3339(row.time),
        to_string(row.kind), html_escaped(row.region_id), row.pid, row.uid,
        html_escaped(row.result), row.detail == "{}" ? "" : html_escaped(row.detail));
}

void end_html(ReportSink& sink) {
    sink.add("</tbody></table></section>\n</main></body></html>\n");
}

}  // namespace snakepit::shm
