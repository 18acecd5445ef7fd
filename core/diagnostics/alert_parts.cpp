// SPDX-License-Identifier: MIT
#include "diagnostics/alert_parts.h"

#include <QFile>
#include <QTemporaryDir>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "alerts/alert_api.h"
#include "alerts/alert_state.h"
#include "diagnostics/bundle.h"
#include "diagnostics/database_copy.h"

namespace snakepit::shm {

namespace {

// Alerts of a month with many problems; and the bytes of a state database.
constexpr std::uint64_t kMostHistory = 2000;
constexpr std::uint64_t kMostState = 256ULL << 20;

// The parts with their names and descriptions.
std::vector<AlertPart> parts_of(Result<std::string> history, Result<std::string> rules,
                                Result<std::string> silences) {
    return {
        {std::string(bundle_part::alert_history),
         fmt::format("the newest {} alerts that fired, as 'alerts --history --json' prints them",
                     kMostHistory),
         std::move(history)},
        {std::string(bundle_part::alert_rules), "alert rules, as 'alerts rules --json' prints them",
         std::move(rules)},
        {std::string(bundle_part::alert_silences),
         "silences, as 'alerts silences --json' prints them", std::move(silences)}};
}

template <typename T>
Result<std::string> as_json(const Result<T>& answer) {
    if (!answer) return fail(answer.error());
    return to_json(*answer);
}

Result<AlertPage> newest(AlertStore& store) {
    HistoryQuery query;
    query.limit = kMostHistory;
    SHM_ASSIGN(auto alerts, store.history(query));  // one more than asked for
    AlertPage page;
    page.more = alerts.size() > kMostHistory;
    if (page.more) alerts.pop_back();
    page.before = alerts.empty() ? 0 : alerts.back().id;
    page.alerts = std::move(alerts);
    return page;
}

Result<std::vector<AlertPart>> parts_in(const std::string& state_db) {
    if (!std::filesystem::exists(state_db))
        return fail(ErrorCode::database_unavailable, fmt::format("{} does not exist", state_db),
                    "a manager creates it when it first runs; check the instance's name");
    SHM_ASSIGN(const auto copied, copy_database(state_db, kMostState));
    const QTemporaryDir scratch;
    // Its mode is 0700, unless the umask took from it.
    QFile::setPermissions(scratch.path(), QFile::ReadOwner | QFile::WriteOwner | QFile::ExeOwner);
    QFile copy(scratch.filePath(QStringLiteral("state.db")));
    const auto size = static_cast<qint64>(copied.bytes.size());
    if (!copy.open(QIODevice::WriteOnly) || copy.write(copied.bytes.data(), size) != size ||
        !copy.flush())
        return fail(ErrorCode::platform_error,
                    fmt::format("cannot write a copy of {}: {}", state_db,
                                copy.errorString().toStdString()));
    AlertStore store(std::make_shared<StateDatabase>(copy.fileName().toStdString()));
    SHM_ASSIGN(const auto stored, store.load());
    AlertState state(stored);
    std::vector<AlertPart> out{{std::string(bundle_part::alerts),
                                "alerts that fired when the manager ended", to_json(state.live())}};
    for (auto& part :
         parts_of(as_json(newest(store)), to_json(state.rules()), to_json(state.silences())))
        out.push_back(std::move(part));
    return out;
}

}  // namespace

std::vector<AlertPart> alerts_of(ManagerClient& manager) {
    const AlertAsk ask = [&manager](const std::string& action, const std::string& arguments) {
        return manager.alerts(action, arguments);
    };
    HistoryQuery query;
    query.limit = kMostHistory;
    return parts_of(as_json(ask_history(ask, query)), as_json(ask_rules(ask)),
                    manager.alerts("silences"));
}

std::vector<AlertPart> alerts_left(const std::string& state_db) {
    auto parts = parts_in(state_db);
    if (parts) return std::move(*parts);
    const Result<std::string> none = fail(parts.error());
    auto out = parts_of(none, none, none);
    out.push_back({std::string(bundle_part::alerts), {}, none});
    return out;
}

}  // namespace snakepit::shm
