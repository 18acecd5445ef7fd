// SPDX-License-Identifier: MIT
// The signed history: checked, and exported as reports. Reads the database itself, so it works
// without a manager.
#include <fmt/format.h>
#include <pwd.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include <QJsonArray>

#include "audit/audit_keys.h"
#include "audit/report.h"
#include "command.h"
#include "json.h"
#include "moments.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

struct VerifyWords {
    std::string file, key;
};

struct ExportWords {
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
    "the key was found beside what it proves: whoever could replace both would not be noticed; "
    "give "
    "--key from a safe place";

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
                fmt::format("nothing was recorded yet: there is no {}", database),
                "a manager records from its first start on; check the instance's name");
}

Result<int> verify_database(const Context& context, const VerifyWords& words,
                            const std::string& path) {
    const auto beside = std::filesystem::path(path).replace_filename("audit.pub").string();
    const bool own_key = words.key.empty();
    SHM_ASSIGN(const auto key, read_public_key(own_key ? beside : words.key));
    SHM_ASSIGN(auto verdict, verify_history(path, key, words.file.empty()));
    if (own_key) verdict.notes.emplace_back(kOwnKey);
    if (context.json) {
        print_json(verdict_json(verdict));
        return verdict.clean() ? kDone : kProblemsFound;
    }
    print(fmt::format("{}: {}\n", verdict.clean() ? "genuine" : "NOT genuine", verdict.summary()));
    if (verdict.problems > 1)
        for (const auto& finding : verdict.findings)
            print(fmt::format("  {}: {}\n", to_string(finding.problem), finding.what));
    if (!verdict.clean() && verdict.proven_last > 0)
        print(fmt::format("rows {} to {} are as they were recorded, signed by {}\n",
                          verdict.proven_first, verdict.proven_last, to_hex(verdict.key)));
    for (const auto& note : verdict.notes) print("note: " + note + '\n');
    return verdict.clean() ? kDone : kProblemsFound;
}

Result<int> verify_report(const Context& context, const VerifyWords& words) {
    std::optional<PublicKey> key;
    if (!words.key.empty()) {
        SHM_ASSIGN(key, read_public_key(words.key));
    }
    std::string problem;
    PublicKey signer{};
    if (const auto check = check_report(words.file)) {
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
        print(fmt::format("genuine: every byte is as it was signed by {}\n", to_hex(signer)));
        if (!key) print(fmt::format("note: {}\n", kOwnKey));
    } else {
        print(fmt::format("NOT genuine: {}\n", problem));
    }
    return problem.empty() ? kDone : kProblemsFound;
}

Result<int> run_verify(const Context& context, const VerifyWords& words) {
    if (words.file.empty()) {
        SHM_ASSIGN(const auto paths, resolve_paths(context.instance));
        SHM_TRY(check_recorded(paths.events_db()));
        return verify_database(context, words, paths.events_db());
    }
    if (is_database(words.file)) return verify_database(context, words, words.file);
    return verify_report(context, words);
}

Result<std::uint32_t> user_of(const std::string& word) {
    if (!word.empty() && word.find_first_not_of("0123456789") == std::string::npos &&
        word.size() <= 9)
        return static_cast<std::uint32_t>(std::stoul(word));
    // One thread, and nothing else asks.
    if (const auto* user = ::getpwnam(word.c_str())) return user->pw_uid;  // NOLINT
    return fail(ErrorCode::platform_error, fmt::format("there is no user '{}'", word),
                "give a name or a number");
}

Result<EventQuery> filter_of(const ExportWords& words) {
    EventQuery query;
    SHM_TRY(choose(query, words.region, words.kind));
    if (!words.user.empty()) {
        SHM_ASSIGN(query.uid, user_of(words.user));
    }
    SHM_ASSIGN(query.since, moment(words.since));
    SHM_ASSIGN(query.until, moment(words.until));
    return query;
}

Result<int> run_export(const Context& context, const ExportWords& words) {
    ReportRequest request;
    SHM_ASSIGN(const auto paths, resolve_paths(context.instance));
    request.database = paths.events_db();
    SHM_TRY(check_recorded(request.database));
    request.instance = paths.instance;
    SHM_ASSIGN(request.filter, filter_of(words));
    request.format = parse_report_format(words.format).value_or(ReportFormat::html);
    SHM_ASSIGN(const auto key, report_key(paths));
    SHM_ASSIGN(auto file, OutputFile::begin(words.file, {.replace = words.force}));
    OutputStream bytes(file);
    std::ostream out(&bytes);
    const auto written = write_report(request, key, out);
    SHM_TRY(bytes.finish());  // why, where it could not be written
    SHM_TRY(written);
    SHM_TRY(file.commit());
    if (file.is_standard_output()) return kDone;
    if (context.json)
        print_json({{"file", text(words.file)}, {"key", text(to_hex(key.public_key()))}});
    else
        print(fmt::format("{} is signed by {}\n", words.file, to_hex(key.public_key())));
    return kDone;
}

void add_verify(CLI::App& audit, Context& context) {
    auto* command = add_command(audit, context, "verify",
                                "Check the history, or an exported report; needs no manager");
    auto words = std::make_shared<VerifyWords>();
    command->add_option("file", words->file, "events.db or a report (default: the instance's)");
    command->add_option("--key", words->key,
                        "The public key it must be signed by, or a file with it");
    command->callback([&context, words] {
        context.action = [&context, words] { return run_verify(context, *words); };
    });
}

void add_export(CLI::App& audit, Context& context) {
    auto* command = add_command(audit, context, "export", "Write a signed report of what happened");
    auto words = std::make_shared<ExportWords>();
    command->add_option("--format", words->format, "csv, json or html (default)")
        ->check(CLI::IsMember({"csv", "json", "html"}));
    command->add_option("-o,--output", words->file, kOutputHelp)->required();
    command->add_flag("--force", words->force, kForceHelp);
    command->add_option("--since", words->since, "From this time on, or how long ago (10m)");
    command->add_option("--until", words->until, "Before this time, or how long ago");
    command->add_option("--user", words->user, "What this user did only: a name or a number");
    command->add_option("--region", words->region, "About this region only");
    command->add_option("--kind", words->kind, "Of this kind only");
    command->callback([&context, words] {
        context.action = [&context, words] { return run_export(context, *words); };
    });
}

}  // namespace

void add_audit(CLI::App& app, Context& context) {
    auto* audit = add_command(app, context, "audit", "The signed history: verify, export");
    audit->require_subcommand(1);
    add_verify(*audit, context);
    add_export(*audit, context);
}

}  // namespace snakepit::shm::cli
