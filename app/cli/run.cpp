// SPDX-License-Identifier: MIT
// run: executes a command and lists the segments its processes left. No manager is asked.
#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <QJsonArray>

#include "base/pluralize.h"
#include "base/units.h"
#include "command.h"
#include "diagnostics/host_json.h"
#include "host_output.h"
#include "json.h"
#include "output.h"
#include "survey/process_tree.h"

namespace snakepit::shm::cli {

namespace {

constexpr int kRunFailed = 125;
constexpr std::size_t kMostPossible = 10;  // listed one by one
constexpr std::size_t kNameColumns = 48;

struct RunOptions {
    TreeOptions tree;
    bool fail_on_leak = false, force = false;
    std::string report;
    std::vector<std::string> placeholder;  // in the place of the command, see take_raw_words()
};

QJsonArray sightings_json(const std::vector<TreeSighting>& sightings) {
    QJsonArray out;
    for (const auto& seen : sightings)
        out.append(QJsonObject{{"pid", json(seen.pid)},
                               {"program", text(seen.program)},
                               {"how", text(to_string(seen.how))}});
    return out;
}

QJsonArray segments_json(const std::vector<TreeSegment>& segments) {
    QJsonArray out;
    for (const auto& item : segments) {
        auto object = host_segment_json(in_unicode(item.segment));
        object.insert("seen", sightings_json(item.seen));
        object.insert("removed", item.removed);
        object.insert("reason", item.reason.empty() ? QJsonValue() : QJsonValue(text(item.reason)));
        out.append(object);
    }
    return out;
}

QJsonObject document(const RunOptions& options, const TreeReport& report) {
    QJsonArray command, running, notes;
    for (const auto& word : options.tree.command) command.append(text(escaped(word)));
    for (const auto& process : report.running) {
        QJsonArray uses;
        for (const auto& name : process.uses) uses.append(text(escaped(name)));
        running.append(QJsonObject{
            {"pid", json(process.pid)}, {"program", text(process.program)}, {"uses", uses}});
    }
    for (const auto& note : report.notes) notes.append(text(note));
    return {{"command", command},
            {"status", report.status},
            {"signal", report.signal == 0 ? QJsonValue() : QJsonValue(report.signal)},
            {"attribution", text(to_string(report.attribution))},
            {"surveyed", !report.not_surveyed && !report.not_executed},
            {"left", segments_json(report.left)},
            {"possible", segments_json(report.possible)},
            {"running", running},
            {"notes", notes}};
}

std::string known_by(const TreeSegment& item) {
    if (item.seen.empty()) return "made in its namespace";
    const auto& first = item.seen.front();
    const auto more = item.seen.size() - 1;
    const auto known = fmt::format("{} by {}", to_string(first.how),
                                   process_label(sanitized(first.program), first.pid));
    return more == 0 ? known : fmt::format("{} +{}", known, more);
}

std::string sum_of(const std::vector<TreeSegment>& segments) {
    std::uint64_t bytes = 0;
    for (const auto& item : segments) bytes += item.segment.resident;
    return fmt::format("{}, {}", pluralize(segments.size(), "segment"), format_size(bytes));
}

std::string left_text(const TreeReport& report) {
    const auto how = fmt::format("(attribution: {})\n", to_string(report.attribution));
    if (report.left.empty()) return "snakepit-shm run: the command left no segments " + how;
    Table table({"LEFT", "SIZE>", "KNOWN BY", "USED BY", "REMOVED"});
    std::string reasons;  // below: one may be some sentences long
    for (const auto& item : report.left) {
        table.add({shortened(escaped(item.segment.name), kNameColumns),
                   format_size(item.segment.size), known_by(item), users_of(item.segment),
                   item.removed ? "yes" : "no"});
        if (!item.reason.empty())
            reasons += fmt::format("{}: {}\n", escaped(item.segment.name), item.reason);
    }
    return fmt::format("snakepit-shm run: the command left {} {}{}{}", sum_of(report.left), how,
                       table.str(), reasons);
}

std::string possible_text(const TreeReport& report) {
    if (report.possible.empty()) return {};
    auto out = fmt::format("possible, and left alone: {}\n", sum_of(report.possible));
    const auto shown = std::min(report.possible.size(), kMostPossible);
    for (std::size_t i = 0; i < shown; ++i)
        out += fmt::format("{}: {}\n", escaped(report.possible[i].segment.name),
                           report.possible[i].reason);
    const auto more = report.possible.size() - shown;
    return more == 0 ? out : out + fmt::format("and {} more\n", more);
}

std::string running_text(const TreeReport& report) {
    std::string out;
    for (const auto& process : report.running) {
        if (process.uses.empty()) continue;
        std::vector<std::string> names;
        for (const auto& name : process.uses) names.push_back(escaped(name));
        out += fmt::format("still running: process {}, uses {}\n",
                           process_label(sanitized(process.program), process.pid),
                           fmt::join(names, ", "));
    }
    return out;
}

// Standard output is the command's, so it goes to the other stream.
void print_report(const Context& context, const RunOptions& options, const TreeReport& report) {
    if (context.json) {
        const auto bytes =
            QJsonDocument(document(options, report)).toJson(QJsonDocument::Compact).toStdString();
        print_error(sanitized_json(bytes) + "\n");
        return;
    }
    auto out = left_text(report) + running_text(report) + possible_text(report);
    for (const auto& note : report.notes) out += fmt::format("note: {}\n", note);
    print_error(sanitized_lines(out));
}

// Opened before the command starts, so that a file that cannot be written is an error in time.
Result<std::optional<OutputFile>> begin_report(const RunOptions& options) {
    if (options.report.empty()) return std::optional<OutputFile>();
    SHM_ASSIGN(auto file, OutputFile::begin(options.report, {.replace = options.force}));
    return std::optional<OutputFile>(std::move(file));
}

Status write_report(std::optional<OutputFile>& file, const RunOptions& options,
                    const TreeReport& report) {
    if (!file) return {};
    const auto bytes = QJsonDocument(document(options, report)).toJson(QJsonDocument::Indented);
    SHM_TRY(
        file->write(sanitized_json({bytes.constData(), static_cast<std::size_t>(bytes.size())})));
    return file->commit();
}

// The command's own status, unless that is 0 and something else is to be reported.
int exit_status(const RunOptions& options, const TreeReport& report, bool failed) {
    if (report.status != 0) return report.status;
    if (failed) return kRunFailed;
    return options.fail_on_leak && !report.left.empty() ? kProblemsFound : kDone;
}

Result<int> run(const Context& context, const RunOptions& given) {
    auto options = given;
    const auto failed = [&](const Error& error) {
        (void)report_error(context, error);
        return kRunFailed;
    };
    options.tree.command = context.raw_words;
    options.tree.restore_signals = context.ignored_signals;
    auto file = begin_report(options);
    if (!file) return failed(file.error());
    const auto report = run_tree(options.tree);
    if (!report) return failed(report.error());
    if (report->not_executed) {
        (void)report_error(context, *report->not_executed);
        return report->status;
    }
    const auto written = write_report(*file, options, *report);
    if (report->not_surveyed) {
        (void)report_error(context, *report->not_surveyed);
    } else {
        print_report(context, options, *report);
    }
    if (!written) (void)report_error(context, written.error());
    return exit_status(options, *report, report->not_surveyed || !written);
}

}  // namespace

void add_run(Command& app) {
    auto& command = app.add(
        "run", "Run a command and list the segments that its processes leave; needs no manager");
    auto& options = command.options<RunOptions>();
    command.flag("--clean", options.tree.clean, "Remove what the command left and no process uses");
    command.flag("--fail-on-leak", options.fail_on_leak,
                 "Exit with 5 if the command succeeds and leaves something");
    command.flag("--isolate", options.tree.isolate,
                 "Give the command its own user, mount and IPC namespace and an empty /dev/shm: "
                 "nothing is missed, "
                 "and what is left is removed");
    command.option("--report", "FILE", options.report, "Write the list as JSON to this file")
        .with_file(FilePlace::nowhere);
    command.flag("--force", options.force, kForceHelp);
    command
        .argument("COMMAND", options.placeholder,
                  "The program, searched for in PATH, and its arguments")
        .required()
        .completed_with(Completion::files);
    command.takes_raw_words();
    command.reads_input();
    command.footer(
        "Exit status: the command's; 125 run failed, 126 COMMAND is not executable, 127 not "
        "found,\n"
        "128 + N ended by signal N, 5 see --fail-on-leak. The list goes to standard error;\n"
        "with --json it is one line of JSON.");
    command.run(run, options);
}

}  // namespace snakepit::shm::cli
