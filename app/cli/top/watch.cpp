// SPDX-License-Identifier: MIT
#include "top/watch.h"

#include <algorithm>

#include "top/asker.h"
#include "top/screen.h"

namespace snakepit::shm::cli {

namespace {

using Clock = std::chrono::steady_clock;

class Watch {
  public:
    Watch(std::string instance, Source source, Screen& screen, Asker& asker)
        : model_(std::move(instance)), source_(std::move(source)), screen_(screen), asker_(asker) {}

    void run() {
        auto due = Clock::now();
        for (bool stay = true; stay;) {
            const auto at = Clock::now();
            if (at >= due) {
                if (!model_.paused()) model_.take(source_.read());
                due = at + model_.interval();
            }
            show();
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - Clock::now());
            const auto press =
                screen_.wait(std::max(left, std::chrono::milliseconds(0)), asker_.news());
            stay = model_.key(press);
            // A shorter interval holds at once.
            due = std::min(due, Clock::now() + model_.interval());
            consult();
        }
    }

  private:
    void show() {
        auto surface = screen_.surface();
        const auto cursor = draw(model_, surface);
        screen_.show(surface, cursor);
    }

    void consult() {
        if (const auto alert = model_.take_acknowledgement()) asker_.acknowledge(*alert);
        asker_.ask(model_.questions());
        if (auto answers = asker_.answers()) model_.take(std::move(*answers));
    }

    Model model_;
    Source source_;
    Screen& screen_;
    Asker& asker_;
};

}  // namespace

Status watch(const InstancePaths& paths, Source source) {
    // The asker's thread comes after the screen, which takes the signals; and it is waited for when
    // the terminal has been given back.
    SHM_ASSIGN(auto screen, Screen::open());
    SHM_ASSIGN(auto asker, Asker::start(paths));
    Watch(paths.instance, std::move(source), *screen, *asker).run();
    screen.reset();
    return {};
}

}  // namespace snakepit::shm::cli
