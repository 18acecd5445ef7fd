// SPDX-License-Identifier: MIT
// check, show and set read the file themselves, so they work without a manager.
#include <fmt/format.h>

#include <QJsonArray>

#include "base/paths.h"
#include "command.h"
#include "config/config.h"
#include "config/config_edit.h"
#include "json.h"
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
        print(file.empty() ? "no configuration file: the built-in defaults apply\n"
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
        print(facts_of(document));
    }
    return kDone;
}

// The manager's answer when it has read the changed file.
Result<QJsonObject> let_manager_reload(const Context& context) {
    auto client = connect(context);
    if (!client && client.error().type() == ErrorType::no_manager &&
        !is_unresponsive(client.error()))
        return QJsonObject{{"applied", false}};
    if (!client) return fail(std::move(client).error());
    SHM_ASSIGN(const auto answer, (*client)->reload_config());
    SHM_ASSIGN(auto document, parse_object(answer));
    document.insert("applied", true);
    return document;
}

struct SetOptions {
    std::string key, value, file;
};

Result<int> run_set(const Context& context, const SetOptions& options) {
    const auto& key = options.key;
    SHM_ASSIGN(auto file, file_of(context, options.file));
    const bool made = file.empty();
    if (made) file = user_config_file();
    SHM_TRY(set_in_file(file, key, options.value));
    QJsonObject document{{"applied", false}};
    if (options.file.empty() && !made) {
        SHM_ASSIGN(document, let_manager_reload(context));
    }
    document.insert("file", text(file));
    document.insert("key", text(key));
    if (context.json) {
        print_json(document);
        return kDone;
    }
    const auto last_part = key.substr(key.rfind('.') + 1);
    const auto later = document.value("needs_restart").toArray().contains(text(last_part));
    print(fmt::format("{} is set in {}{}\n", key, file,
                      !document.value("applied").toBool() || later
                          ? "; it takes effect when a manager starts next"
                          : " and takes effect now"));
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

void add_config(Command& app) {
    auto& config = app.add("config", "Show, check or change the configuration");
    constexpr auto kFileHelp = "The file (default: the instance's)";
    auto& check = config.add("check", "Check a configuration file; needs no manager");
    auto& checked = check.options<std::string>();
    check.argument("FILE", checked, kFileHelp).completed_with(Completion::files);
    check.run(run_check, checked);
    auto& show = config.add("show", "Show every key with its value in the file; needs no manager");
    auto& shown = show.options<std::string>();
    show.argument("FILE", shown, kFileHelp).completed_with(Completion::files);
    show.run(run_show, shown);
    auto& set = config.add("set", "Change a key in the file, if the result is valid, and apply it");
    auto& options = set.options<SetOptions>();
    set.argument("KEY", options.key, "As 'config show' prints it, with or without its section")
        .required();
    set.argument("VALUE", options.value, "A number, true, false, a word, \"64MiB\", \"30s\"")
        .required();
    set.option("--file", "FILE", options.file, "Change this file (default: the instance's)")
        .completed_with(Completion::files);
    set.run(run_set, options);
    config.add("reload", "Make the running manager read its file again").run(run_reload);
}

}  // namespace snakepit::shm::cli
