// SPDX-License-Identifier: MIT
// check, show and set read the file themselves, so they work without a manager.
#include <fmt/format.h>

#include <memory>

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

// What a running manager makes of the changed file.
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

Result<int> run_set(const Context& context, const std::string& key, const std::string& value,
                    const std::string& given) {
    SHM_ASSIGN(auto file, file_of(context, given));
    const bool made = file.empty();
    if (made) file = user_config_file();
    SHM_TRY(set_in_file(file, key, value));
    QJsonObject document{{"applied", false}};
    if (given.empty() && !made) {
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
                          : " and holds now"));
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
    struct Words {
        std::string key, value;
    };
    auto words = std::make_shared<Words>();
    auto* set = add_command(*config, context, "set",
                            "Change one key in the file, if the file is valid then, and apply it");
    set->add_option("key", words->key, "As in config show, or with its section before it")
        ->required();
    set->add_option("value", words->value, "A number, true, false, a word, \"64MiB\", \"30s\"")
        ->required();
    set->add_option("--file", *file, "Another file than the instance's own");
    set->callback([&context, words, file] {
        context.action = [&context, words, file] {
            return run_set(context, words->key, words->value, *file);
        };
    });
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
