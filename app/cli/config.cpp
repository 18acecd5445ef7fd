// SPDX-License-Identifier: MIT
// check and show read the file themselves, so they work without a manager.
#include <memory>

#include "base/paths.h"
#include "command.h"
#include "json.h"
#include "manager/config.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

Result<std::string> file_of(const Context& context, const std::string& given) {
    if (!given.empty()) return given;
    SHM_ASSIGN(const auto paths, resolve_paths(context.instance));
    return paths.config_file;
}

Result<int> run_check(const Context& context, const std::string& given) {
    SHM_ASSIGN(const auto file, file_of(context, given));
    SHM_TRY(Config::load(file));
    if (context.json) {
        print_json(
            {{"valid", true}, {"file", file.empty() ? QJsonValue() : QJsonValue(text(file))}});
    } else {
        print(file.empty() ? "no configuration file: the built-in defaults hold\n"
                           : file + " is valid\n");
    }
    return kDone;
}

Result<int> run_show(const Context& context, const std::string& given) {
    SHM_ASSIGN(const auto file, file_of(context, given));
    SHM_ASSIGN(const auto config, Config::load(file));
    SHM_ASSIGN(auto document, parse_object(config.to_json()));
    document.insert("file", file.empty() ? QJsonValue() : QJsonValue(text(file)));
    if (context.json) {
        print_json(document);
    } else {
        print(lines_of(document));
    }
    return kDone;
}

Result<int> run_reload(const Context& context) {
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto answer, client->reload_config());
    if (context.json) {
        SHM_ASSIGN(const auto document, parse_object(answer));
        print_json(document);
        return kDone;
    }
    const auto waiting = keys_needing_restart(answer);
    print(waiting.empty() ? "reloaded\n"
                          : "reloaded; these take effect when the manager starts next:\n");
    for (const auto& key : waiting) print("  " + key + "\n");
    return kDone;
}

}  // namespace

void add_config(CLI::App& app, Context& context) {
    auto* config = app.add_subcommand("config", "Look at the configuration, or apply it");
    config->require_subcommand(1);
    auto file = std::make_shared<std::string>();
    auto* check = add_command(*config, context, "check", "Read the file as the manager would");
    auto* show =
        add_command(*config, context, "show", "Print every key with the value the file gives it");
    for (auto* command : {check, show})
        command->add_option("file", *file, "Another file than the instance's own");
    auto* reload =
        add_command(*config, context, "reload", "Let the running manager read its file again");

    check->callback([&context, file] {
        context.action = [&context, file] { return run_check(context, *file); };
    });
    show->callback([&context, file] {
        context.action = [&context, file] { return run_show(context, *file); };
    });
    reload->callback([&context] { context.action = [&context] { return run_reload(context); }; });
}

}  // namespace snakepit::shm::cli
