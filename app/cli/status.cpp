// SPDX-License-Identifier: MIT
// What the manager says about itself.
#include "base/units.h"
#include "command.h"
#include "json.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

QString size_text(const QJsonValue& bytes) {
    return QString::fromStdString(format_size(static_cast<std::uint64_t>(bytes.toDouble())));
}

// Who pays for regions, in one line.
QString plain_memory(const QJsonObject& memory) {
    auto said = QString(
                    "charged to %1, which leaves %2 of %3; clients pay "
                    "for large segments of their own")
                    .arg(memory["charged_to"].toString(), size_text(memory["left"]),
                         size_text(memory["limit"]));
    if (const auto why = memory["not_known"].toString(); !why.isEmpty())
        said += QString("; not known: %1").arg(why);
    return said;
}

// One line in place of three.
QJsonObject plain(QJsonObject document) {
    if (document.contains("memory"))
        document["memory"] = plain_memory(document["memory"].toObject());
    if (!document.contains("huge_pages")) return document;
    const auto pages = document["huge_pages"].toObject();
    QString said = "used";
    if (!pages["wanted"].toBool())
        said = "not wanted";
    else if (!pages["used"].toBool())
        said = "wanted and not used: " + pages["problem"].toString();
    document["huge_pages"] = said;
    return document;
}

Result<int> run_status(const Context& context) {
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto report, client->report("status"));
    SHM_ASSIGN(const auto document, parse_object(report));
    if (context.json) {
        print_json(document);
    } else {
        print(lines_of(plain(document)));
    }
    return kDone;
}

}  // namespace

void add_status(CLI::App& app, Context& context) {
    auto* command =
        add_command(app, context, "status", "Say whether a manager runs, and how it does");
    command->callback([&context] { context.action = [&context] { return run_status(context); }; });
}

}  // namespace snakepit::shm::cli
