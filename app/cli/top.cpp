// SPDX-License-Identifier: MIT
// The terminal monitor. Reads the registry file, so that watching costs the manager nothing.
#include <memory>

#include "command.h"
#include "output.h"
#include "terminal.h"
#include "top_frame.h"

namespace snakepit::shm::cli {

namespace {

constexpr int kRefreshMillis = 1000;

constexpr std::string_view kKeys = "\ns size  r references  a age  u last used  q quit\n";

Result<int> watch(TopFrame& frame) {
    SHM_ASSIGN(auto terminal, Terminal::open());
    auto sort = SortKey::size;
    for (;;) {
        frame.refresh();
        const auto [columns, lines] = terminal.size();
        terminal.draw(frame.text(sort, columns, lines) + std::string(kKeys));
        switch (terminal.key(kRefreshMillis)) {
            case 's':
                sort = SortKey::size;
                break;
            case 'r':
                sort = SortKey::references;
                break;
            case 'a':
                sort = SortKey::age;
                break;
            case 'u':
                sort = SortKey::used;
                break;
            case 'q':
            case Terminal::kEnd:
                return kDone;
            default:
                break;
        }
    }
}

Result<int> run_top(const Context& context, bool once) {
    // The registry file outlives a manager; only a connection shows that one is running.
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(auto reader, RegistryReader::open(client->paths().registry()));
    TopFrame frame(client->paths().instance, std::move(reader));
    client.reset();
    if (!context.json && !once && Terminal::available()) return watch(frame);
    frame.refresh();
    if (context.json) {
        print_json(frame.document(SortKey::size));
    } else {
        print(frame.text(SortKey::size, 0, 0));
    }
    return kDone;
}

}  // namespace

void add_top(CLI::App& app, Context& context) {
    auto* command = add_command(app, context, "top",
                                "Watch regions, holders and rates in the terminal; q quits");
    auto once = std::make_shared<bool>(false);
    command->add_flag("--once", *once,
                      "Print one frame (always so where the output is no terminal)");
    command->callback([&context, once] {
        context.action = [&context, once] { return run_top(context, *once); };
    });
}

}  // namespace snakepit::shm::cli
