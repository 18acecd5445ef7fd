// SPDX-License-Identifier: MIT
// top: the terminal monitor, or a frame of it where there is no terminal.
#include <poll.h>

#include "command.h"
#include "output.h"
#include "terminal.h"
#include "top/plain.h"
#include "top/screen.h"
#include "top/watch.h"

namespace snakepit::shm::cli {

namespace {

constexpr int kFrameMillis = 1000;

constexpr auto kHelp = R"(Keys:
  1 2 3 4, Tab     regions, programs, alerts, locks
  s r a u h n      sort by size, references, age, last use, holders, name;
                   the same key again reverses the order
  arrows, PgUp, PgDn, Home, End
                   choose a row; it stays chosen while rows move. Esc releases it
  Enter            details: all holders, permissions, place, last events;
                   of an alert its evidence and its remedy
  /                filter while typing, as in 'snakepit-shm list':
                   size>1MiB owner:python state:orphan refs=0 age>10m words
  k                acknowledge an alert
  d, c             show the command that deallocates the region, or that
                   shows what a cleanup would remove
  p                pause          + -  change the interval (0.25 s to 10 s)
  ?                help           q    quit

Where standard output is not a terminal, or with --once, one frame is printed;
with --json one document. NO_COLOR=1 switches colors off.

Watching costs the manager nothing: the registry file is read. Only details,
alerts and locks are requested, every two seconds while they are shown.
The manager may be stopped and started again meanwhile.)";

struct TopOptions {
    bool once = false;
    int frames = 0;
};

void look(Model& model, Source& source) {
    model.take(source.read());
}

Result<int> run_top(const Context& context, const TopOptions& options) {
    // The registry file outlives a manager; only a connection shows that one is running.
    SHM_ASSIGN(auto client, connect(context));
    const auto paths = client->paths();
    client.reset();
    SHM_ASSIGN(auto source, Source::open(paths));
    if (!context.json && !options.once && options.frames == 0 && interactive()) {
        SHM_TRY(watch(paths, std::move(source)));
        return kDone;
    }
    Model model(paths.instance);
    look(model, source);
    if (context.json) {
        print_json(document(model));
        return kDone;
    }
    print(plain_frame(model, output_columns()));
    for (int frame = 1; frame < options.frames && output_written(); ++frame) {
        ::poll(nullptr, 0, kFrameMillis);
        look(model, source);
        print("\n" + plain_frame(model, output_columns()));
    }
    return kDone;
}

}  // namespace

void add_top(Command& app) {
    auto& command =
        app.add("top", "Watch regions, programs, rates, alerts and locks in the terminal");
    auto& options = command.options<TopOptions>();
    auto& once = command.flag("--once", options.once,
                              "Print one frame, as where the output is not a terminal");
    command.option("--batch", "N", options.frames, "Print N frames, one a second")
        .range(1, 1'000'000)
        .excludes(once);
    command.footer(kHelp);
    command.run(run_top, options);
}

}  // namespace snakepit::shm::cli
