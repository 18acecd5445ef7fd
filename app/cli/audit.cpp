// SPDX-License-Identifier: MIT
// audit: checks the signed history, and exports it as reports. Reads the database itself, so it
// works without a manager.
#include <fmt/format.h>
#include <pwd.h>

#include <filesystem>
#include <fstream>

#include <QJsonArray>

#include "audit/audit_keys.h"
#include "audit/report.h"
#include "command.h"
#include "json.h"
#include "moments.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

struct VerifyOptions {
    std::string file, key;
};

struct ExportOptions {
    std::string format = "html", file, since, until, user, region, kind;
    bool force = false;
};

bool is_database(const std::string& path) {
    constexpr std::string_view kMagic = "SQLite format 3";
    std::string start(kMagic.size(), '\0');
    std::ifstream(path, std::ios::binary).read(start.data(), static_cast<int>(start.size()));
    return start == kMagic;
}

constexpr auto kOwnKey =
    "the key was read from beside the database: replacing both would not be noticed; give --key "
    "from a safe place";

QJsonObject finding_json(const AuditFinding& finding) {
    return {{"problem", text(to_string(finding.problem))},
            {"first", qint64{finding.first}},
            {"last", qint64{finding.last}},
            {"time", json(finding.time)},
            {"kind", text(finding.kind)},
            {"what", text(finding.what)}};
}

QJsonObject verdict_json(const AuditVerdict& verdict) {
    QJsonArray findings, notes;
    for (const auto& finding : verdict.findings) findings.append(finding_json(finding));
    for (const auto& note : verdict.notes) notes.append(text(note));
    return {{"clean", verdict.clean()},
            {"key", text(to_hex(verdict.key))},
            {"rows", qint64{verdict.rows}},
            {"first", qint64{verdict.first}},
            {"last", qint64{verdict.last}},
            {"proven_first", qint64{verdict.proven_first}},
            {"proven_last", qint64{verdict.proven_last}},
            {"unchained", qint64{verdict.unchained}},
            {"checkpoints", qint64{verdict.checkpoints}},
            {"removed_up_to", qint64{verdict.removed_up_to}},
            {"removed_at", json(verdict.removed_at)},
            {"problems", json(verdict.problems)},
            {"findings", findings},
            {"notes", notes}};
}

// Before a manager has run for the first time there is no key either.
Status check_recorded(const std::string& database) {
    std::error_code unknown;
    if (std::filesystem::exists(database, unknown) || unknown) return {};
    return fail(ErrorCode::database_unavailable,
                fmt::format("nothing was recorded yet, because {} does not exist", database),
                "a manager records from its first start on; check the name of the instance");
}

void print_verdict(bool genuine, const std::string& reason) {
    print(std::vector<Toned>{
        genuine ? Toned("genuine", Tone::good) : Toned("NOT genuine", Tone::bad), ": " + reason});
}

Result<int> verify_database(const Context& context, const VerifyOptions& options,
                            const std::string& path) {
    const auto beside = std::filesystem::path(path).replace_filename("audit.pub").string();
    const bool own_key = options.key.empty();
    SHM_ASSIGN(const auto key, read_public_key(own_key ? beside : options.key));
    SHM_ASSIGN(auto verdict, verify_history(path, key, options.file.empty()));
    if (own_key) verdict.notes.emplace_back(kOwnKey);
    if (context.json) {
        print_json(verdict_json(verdict));
        return verdict.clean() ? kDone : kProblemsFound;
    }
    print_verdict(verdict.clean(), verdict.summary());
    if (verdict.problems > 1)
        for (const auto& finding : verdict.findings)
            print(fmt::format("  {}: {}\n", to_string(finding.problem), finding.what));
    if (!verdict.clean() && verdict.proven_last > 0)
        print(fmt::format("rows {} to {} are as they were recorded, signed by {}\n",
                          verdict.proven_first, verdict.proven_last, to_hex(verdict.key)));
    for (const auto& note : verdict.notes) print("note: " + note + '\n');
    return verdict.clean() ? kDone : kProblemsFound;
}

Result<int> verify_report(const Context& context, const VerifyOptions& options) {
    std::optional<PublicKey> key;
    if (!options.key.empty()) {
        SHM_ASSIGN(key, read_public_key(options.key));
    }
    std::string problem;
    PublicKey signer{};
    if (const auto check = check_report(options.file)) {
        signer = check->signer;
        if (!check->intact)
            problem = "it was changed after it was signed";
        else if (key && *key != signer)
            problem = fmt::format("it is signed by another key, {}", to_hex(signer));
    } else if (check.error().code == ErrorCode::corruption_detected) {
        problem = check.error().message;
    } else {
        return fail(check.error());
    }
    if (context.json) {
        print_json({{"clean", problem.empty()},
                    {"key", text(to_hex(signer))},
                    {"problem", text(problem)},
                    {"key_given", key.has_value()}});
    } else if (problem.empty()) {
        print_verdict(true, fmt::format("every byte is as it was signed by {}", to_hex(signer)));
        if (!key) print(fmt::format("note: {}\n", kOwnKey));
    } else {
        print_verdict(false, problem);
    }
    return problem.empty() ? kDone : kProblemsFound;
}

Result<int> run_verify(const Context& context, const VerifyOptions& options) {
    if (options.file.empty()) {
        SHM_ASSIGN(const auto paths, resolve_paths(context.instance));
        SHM_TRY(check_recorded(paths.events_db()));
        return verify_database(context, options, paths.events_db());
    }
    if (is_database(options.file)) return verify_database(context, options, options.file);
    return verify_report(context, options);
}

Result<std::uint32_t> user_of(const std::string& word) {
    if (!word.empty() && word.find_first_not_of("0123456789") == std::string::npos &&
        word.size() <= 9)
        return static_cast<std::uint32_t>(std::stoul(word));
    // One thread, and nothing else asks.
    if (const auto* user = ::getpwnam(word.c_str())) return user->pw_uid;  // NOLINT
    return fail(ErrorCode::platform_error, fmt::format("unknown user '{}'", word),
                "give a user's name or number");
}

Result<EventQuery> filter_of(const ExportOptions& options, const InstancePaths& paths) {
    EventQuery query;
    SHM_TRY(choose_events(query, paths, options.region, options.kind));
    if (!options.user.empty()) {
        SHM_ASSIGN(query.uid, user_of(options.user));
    }
    SHM_ASSIGN(query.since, moment(options.since));
    SHM_ASSIGN(query.until, moment(options.until));
    return query;
}

Result<int> run_export(const Context& context, const ExportOptions& options) {
    ReportRequest request;
    SHM_ASSIGN(const auto paths, resolve_paths(context.instance));
    request.database = paths.events_db();
    SHM_TRY(check_recorded(request.database));
    request.instance = paths.instance;
    SHM_ASSIGN(request.filter, filter_of(options, paths));
    request.format = parse_report_format(options.format).value_or(ReportFormat::html);
    SHM_ASSIGN(const auto key, report_key(paths));
    SHM_ASSIGN(auto file, OutputFile::begin(options.file, {.replace = options.force}));
    OutputStream bytes(file);
    std::ostream out(&bytes);
    const auto written = write_report(request, key, out);
    SHM_TRY(bytes.finish());  // why, where it could not be written
    SHM_TRY(written);
    SHM_TRY(file.commit());
    if (file.is_standard_output()) return kDone;
    if (context.json)
        print_json({{"file", text(options.file)}, {"key", text(to_hex(key.public_key()))}});
    else
        print(fmt::format("{} is signed by {}\n", options.file, to_hex(key.public_key())));
    return kDone;
}

void add_verify(Command& audit) {
    auto& command =
        audit.add("verify", "Check the history, or an exported report; needs no manager");
    auto& options = command.options<VerifyOptions>();
    command
        .argument("FILE", options.file, "events.db or a report (default: the instance's history)")
        .completed_with(Completion::files);
    command
        .option("--key", "KEY", options.key,
                "The public key that must have signed it, or a file with it")
        .completed_with(Completion::files);
    command.run(run_verify, options);
}

void add_export(Command& audit) {
    auto& command = audit.add("export", "Write a signed report of recorded events");
    auto& options = command.options<ExportOptions>();
    command.option("--format", "FORMAT", options.format, "csv, json or html (default)")
        .one_of({"csv", "json", "html"});
    command.option("-o,--output", "FILE", options.file, kOutputHelp)
        .required()
        .with_file(FilePlace::written_here);
    command.flag("--force", options.force, kForceHelp);
    command.option("--since", "TIME", options.since,
                   "Only events from this time on, or from this long ago (10m)");
    command.option("--until", "TIME", options.until,
                   "Only events before this time, or older than this (10m)");
    command.option("--user", "USER", options.user, "Only events of this user: a name or a number");
    command.option("--region", "ID", options.region, "Only events of this region")
        .completed_with(Completion::regions);
    command.option("--kind", "KIND", options.kind, "Only events of this kind")
        .suggest(event_kinds());
    command.run(run_export, options);
}

}  // namespace

void add_audit(Command& app) {
    auto& audit = app.add("audit", "Verify or export the signed history");
    add_verify(audit);
    add_export(audit);
}

}  // namespace snakepit::shm::cli
