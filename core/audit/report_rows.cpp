// SPDX-License-Identifier: MIT
// Reports as CSV and as JSON.
#include <fmt/format.h>

#include "audit/report_file.h"
#include "base/csv.h"
#include "base/json.h"

namespace snakepit::shm {

namespace {

std::string one_line(std::string text) {
    for (auto& c : text)
        if (c == '\n' || c == '\r') c = ' ';
    return text;
}

template <typename Map>
std::string counts_json(const Map& counts) {
    std::string out = "{";
    for (const auto& [name, count] : counts) {
        if (out.size() > 1) out += ',';
        append_json_string(out, fmt::format("{}", name));
        out += fmt::format(":{}", count);
    }
    return out + '}';
}

std::string numbers_json(const std::vector<std::uint64_t>& numbers) {
    return fmt::format("[{}]", fmt::join(numbers, ","));
}

std::string graphs_json(const ReportGraphs& graphs) {
    std::string events;
    for (const auto& [kind, parts] : graphs.events) {
        if (!events.empty()) events += ',';
        append_json_string(events, kind);
        events += ':' + numbers_json(parts);
    }
    return fmt::format(R"({{"from":"{}","to":"{}","events":{{{}}},"regions":{},"bytes":{}}})",
                       to_rfc3339(graphs.from), to_rfc3339(graphs.to), events,
                       numbers_json(graphs.regions), numbers_json(graphs.bytes));
}

std::string verdict_json(const AuditVerdict& verdict) {
    std::string out =
        fmt::format(R"({{"clean":{},"proven_first":{},"proven_last":{},"problems":{},"summary":)",
                    verdict.clean(), verdict.proven_first, verdict.proven_last, verdict.problems);
    append_json_string(out, verdict.summary());
    out += R"(,"notes":[)";
    for (std::size_t i = 0; i < verdict.notes.size(); ++i) {
        if (i > 0) out += ',';
        append_json_string(out, verdict.notes[i]);
    }
    return out + "]}";
}

}  // namespace

void begin_csv(ReportSink& sink, const ReportContents& report) {
    const auto& s = report.summary;
    std::string out = fmt::format(
        "# Snakepit SHM audit report of instance {}, made {}\n# rows: {}, {} to {}; filter: {}\n"
        "# verification of the whole history: {}\n",
        report.instance, to_rfc3339(report.made), s.rows, to_rfc3339(s.first), to_rfc3339(s.last),
        report.filter.empty() ? "none" : report.filter, one_line(report.verdict.summary()));
    for (const auto& note : report.verdict.notes)
        out += fmt::format("# note: {}\n", one_line(note));
    out += fmt::format("# by kind: {}\n# by user: {}\n# by result: {}\n", counts_json(s.kinds),
                       counts_json(s.users), counts_json(s.results));
    sink.add(out + "seq,epoch,ring_seq,time,kind,region_id,pid,uid,result,detail\n");
}

void add_csv_row(std::string& out, const EventRow& row) {
    out += fmt::format("{},{:016x},{},{},{},{},{},{},", row.seq, row.epoch, row.ring_seq,
                       to_rfc3339(row.time), to_string(row.kind), row.region_id, row.pid, row.uid);
    append_csv_text(out, row.result);
    out += ',';
    append_csv_text(out, row.detail);
    out += '\n';
}

void begin_json(ReportSink& sink, const ReportContents& report) {
    const auto& s = report.summary;
    std::string out = "{\"instance\":";
    append_json_string(out, report.instance);
    out += fmt::format(",\n\"made\":\"{}\",\n\"filter\":", to_rfc3339(report.made));
    append_json_string(out, report.filter);
    out += fmt::format(",\n\"verification\":{},\n", verdict_json(report.verdict));
    out += fmt::format(
        R"("summary":{{"rows":{},"first":"{}","last":"{}","kinds":{},"users":{},"results":{}}},)",
        s.rows, to_rfc3339(s.first), to_rfc3339(s.last), counts_json(s.kinds), counts_json(s.users),
        counts_json(s.results));
    sink.add(out + fmt::format("\n\"graphs\":{},\n\"events\":[", graphs_json(s.graphs)));
}

void add_json_row(std::string& out, const EventRow& row, bool first) {
    out += first ? "\n" : ",\n";
    out += fmt::format(
        R"({{"seq":{},"epoch":"{:016x}","ring_seq":{},"time":"{}","kind":"{}","region_id":)",
        row.seq, row.epoch, row.ring_seq, to_rfc3339(row.time), to_string(row.kind));
    append_json_string(out, row.region_id);
    out += fmt::format(R"(,"pid":{},"uid":{},"result":)", row.pid, row.uid);
    append_json_string(out, row.result);
    out += ",\"detail\":";
    append_json_string(out, row.detail);  // as text: an edited row may contain anything
    out += '}';
}

}  // namespace snakepit::shm
