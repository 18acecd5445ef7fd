// SPDX-License-Identifier: MIT
// top: the terminal monitor, or a frame of it where there is no terminal.
#include <poll.h>

#include <memory>

#include "command.h"
#include "output.h"
#include "top/plain.h"
#include "top/screen.h"
#include "top/watch.h"

namespace snakepit::shm::cli {

namespace {

constexpr int kFrameMillis = 1000;

constexpr auto kHelp = R"(
KEYS
  1 2 3 4, Tab     regions, programs, alerts, locks
  s r a u h n      sort by size, references, age, last use, holders, name;
                   the same key again turns the order round
  arrows, PgUp, PgDn, Home, End
                   choose a row; it stays chosen while rows move. Esc lets go
  Enter            details: all holders, permissions, place, last events;
                   of an alert its evidence and what to do
  /                filter while typing, in the words of 'snakepit-shm list':
                   size>1MiB owner:python state:orphan refs=0 age>10m words
  k                acknowledge an alert
  d, c             show the command that deallocates the region, or rehearses
                   a cleanup
  p                pause          + -  look less or more often (0.25 s to 10 s)
  ?                help           q    quit

OUTPUT
  Where standard output is no terminal, or with --once, one frame is printed;
  with --json one document. NO_COLOR=1 takes the colours away.

  Watching costs the manager nothing: the registry file is read. Only details,
  alerts and locks are asked for, every two seconds while they are shown.
  While it runs the manager may be stopped and started again.
)";

struct Words {
    bool once = false;
    int frames = 0;
};

void look(Model& model, Source& source) {
    model.take(source.read());
}

Result<int> run_top(const Context& context, const Words& words) {
    // The registry file outlives a manager; only a connection shows that one is running.
    SHM_ASSIGN(auto client, connect(context));
    const auto paths = client->paths();
    client.reset();
    SHM_ASSIGN(auto source, Source::open(paths));
    if (!context.json && !words.once && words.frames == 0 && interactive()) {
        SHM_TRY(watch(paths, std::move(source)));
        return kDone;
    }
    Model model(paths.instance);
    look(model, source);
    if (context.json) {
        print_json(document(model));
        return kDone;
    }
    print(plain_frame(model));
    for (int frame = 1; frame < words.frames && output_written(); ++frame) {
        ::poll(nullptr, 0, kFrameMillis);
        look(model, source);
        print("\n" + plain_frame(model));
    }
    return kDone;
}

}  // namespace

void add_top(CLI::App& app, Context& context) {
    auto* command = add_command(app, context, "top",
                                "Watch regions, holders, rates, alerts and locks in the terminal");
    auto words = std::make_shared<Words>();
    auto* once = command->add_flag("--once", words->once,
                                   "Print one frame (always so where the output is no terminal)");
    command->add_option("--batch", words->frames, "Print this many frames, one a second")
        ->check(CLI::Range(1, 1'000'000))
        ->excludes(once);
    command->footer(kHelp);
    command->callback([&context, words] {
        context.action = [&context, words] { return run_top(context, *words); };
    });
}

}  // namespace snakepit::shm::cli
