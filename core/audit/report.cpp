// SPDX-License-Identifier: MIT
#include "audit/report.h"

#include <utility>

#include <fmt/format.h>

#include "audit/report_file.h"

namespace snakepit::shm {

namespace {

constexpr std::size_t kFlushBytes = 1 << 16;

std::string describe(const EventQuery& query) {
    std::string out;
    const auto add = [&](std::string_view name, const std::string& value) {
        out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, value);
    };
    if (query.since) add("from", to_rfc3339(*query.since));
    if (query.until) add("until", to_rfc3339(*query.until));
    if (query.uid) add("user", std::to_string(*query.uid));
    if (query.region_id) add("region", *query.region_id);
    if (query.kind) add("kind", std::string(to_string(*query.kind)));
    return out;
}

Status write_rows(ReportSink& sink, EventReader& reader, const ReportContents& report,
                  ReportFormat format) {
    std::string part;
    bool first = true;
    SHM_TRY(for_each_row(reader, report.query, [&](const EventRow& row) -> Status {
        if (format == ReportFormat::csv) add_csv_row(part, row);
        if (format == ReportFormat::json) add_json_row(part, row, first);
        if (format == ReportFormat::html) add_html_row(part, row);
        first = false;
        if (part.size() >= kFlushBytes) {
            sink.add(part);
            part.clear();
        }
        return {};
    }));
    sink.add(part);
    return {};
}

}  // namespace

std::optional<ReportFormat> parse_report_format(std::string_view text) {
    if (text == "csv") return ReportFormat::csv;
    if (text == "json") return ReportFormat::json;
    if (text == "html") return ReportFormat::html;
    return std::nullopt;
}

Result<ReportContents> read_report(EventReader& reader, const ReportRequest& request,
                                   const PublicKey& key) {
    ReportContents report;
    report.instance = request.instance;
    report.made = now();
    report.key = key;
    report.query = request.filter;
    report.filter = describe(request.filter);
    // Rows that are recorded meanwhile are not included.
    EventQuery newest;
    newest.limit = 1;
    newest.newest_first = true;
    SHM_ASSIGN(const auto last, reader.query(newest));
    const auto end = last.empty() ? 1 : last.front().seq + 1;
    if (report.query.before_seq == 0 || report.query.before_seq > end)
        report.query.before_seq = end;
    SHM_ASSIGN(report.verdict, verify_history(request.database, key, true));
    SHM_ASSIGN(report.summary, summarize(reader, report.query));
    return report;
}

Status write_report(const ReportRequest& request, const SigningKey& key, std::ostream& out) {
    if (request.format == ReportFormat::pdf)
        return fail(ErrorCode::invalid_argument, "a PDF can only be created by the monitor",
                    "export it from the monitor, or choose html");
    SHM_ASSIGN(auto reader, EventReader::open(request.database));
    SHM_ASSIGN(const auto report, read_report(reader, request, key.public_key()));
    ReportSink sink(out);
    if (request.format == ReportFormat::csv) begin_csv(sink, report);
    if (request.format == ReportFormat::json) begin_json(sink, report);
    if (request.format == ReportFormat::html) begin_html(sink, report);
    SHM_TRY(write_rows(sink, reader, report, request.format));
    if (request.format == ReportFormat::json) sink.add("\n],\n");
    if (request.format == ReportFormat::html) end_html(sink);
    return sink.sign(key, request.format);
}

Status write_drawn_report(std::string_view pdf, const SigningKey& key, std::ostream& out) {
    ReportSink sink(out);
    sink.add(pdf);
    return sink.sign(key, ReportFormat::pdf);
}

}  // namespace snakepit::shm
