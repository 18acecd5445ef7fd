// SPDX-License-Identifier: MIT
// What the manager says about itself.
#include "command.h"
#include "json.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

// One line in place of three.
QJsonObject with_plain_huge_pages(QJsonObject document) {
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
        print(
            lines_of(document.contains("huge_pages") ? with_plain_huge_pages(document) : document));
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
