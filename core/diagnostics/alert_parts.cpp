// SPDX-License-Identifier: MIT
#include "diagnostics/alert_parts.h"

#include <QFile>
#include <QTemporaryDir>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "alerts/alert_book.h"
#include "alerts/alert_pages.h"
#include "diagnostics/bundle.h"
#include "diagnostics/database_copy.h"

namespace snakepit::shm {

namespace {

// Alerts: what a month had in bad times; and bytes of what they are kept in.
constexpr std::uint64_t kMostHistory = 2000;
constexpr std::uint64_t kMostState = 256ULL << 20;

// Their names and what they are, in one order.
std::vector<AlertPart> parts_of(Result<std::string> history, Result<std::string> rules,
                                Result<std::string> silences) {
    return {{std::string(bundle_part::alert_history),
             fmt::format("the newest {} alerts that fired, as 'alerts --history --json' has them",
                         kMostHistory),
             std::move(history)},
            {std::string(bundle_part::alert_rules),
             "the rules of alerts, as 'alerts rules --json' has them", std::move(rules)},
            {std::string(bundle_part::alert_silences),
             "silences of alerts, as 'alerts silences --json' has them", std::move(silences)}};
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
        return fail(ErrorCode::database_unavailable, fmt::format("there is no {}", state_db));
    SHM_ASSIGN(const auto copied, copy_database(state_db, kMostState));
    const QTemporaryDir scratch;
    // Its mode is 0700, unless the umask took from it.
    QFile::setPermissions(scratch.path(), QFile::ReadOwner | QFile::WriteOwner | QFile::ExeOwner);
    QFile copy(scratch.filePath(QStringLiteral("state.db")));
    const auto size = static_cast<qint64>(copied.bytes.size());
    if (!copy.open(QIODevice::WriteOnly) || copy.write(copied.bytes.data(), size) != size ||
        !copy.flush())
        return fail(ErrorCode::platform_error,
                    fmt::format("a copy of {} cannot be written: {}", state_db,
                                copy.errorString().toStdString()));
    AlertStore store(copy.fileName().toStdString());
    SHM_ASSIGN(const auto memory, store.load());
    AlertBook book(memory);
    std::vector<AlertPart> out{{std::string(bundle_part::alerts),
                                "what fired when the manager ended", to_json(book.live())}};
    for (auto& part :
         parts_of(as_json(newest(store)), to_json(book.rules()), to_json(book.silences())))
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
