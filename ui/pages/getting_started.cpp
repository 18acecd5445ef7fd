// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/getting_started.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QVBoxLayout>

#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

QString snippet(const Workspace& workspace) {
    const auto instance =
        workspace.instance() == u"default" ? QString() : u"\"%1\""_s.arg(workspace.instance());
    return u"from snakepit_shm import Client\n"
           u"\n"
           u"client = Client(%1)\n"
           u"region = client.allocate(64 * 1024 * 1024)\n"
           u"region.view[:5] = b\"hello\"\n"
           u"print(region.id)"_s.arg(instance);
}

}  // namespace

EmptyState* make_getting_started(Workspace& workspace) {
    auto* state = new EmptyState(
        u"regions"_s, QObject::tr("Nothing is shared yet"),
        QObject::tr("Start a demo with workers that share data, or share data from a program."));
    auto* box = new QWidget;
    box->setMaximumWidth(470);
    auto* column = new QVBoxLayout(box);
    column->setSpacing(8);
    column->addWidget(make_label(QObject::tr("In a terminal"), "section"));
    column->addWidget(make_command_line(workspace.command(u"demo"_s)));
    column->addSpacing(6);
    column->addWidget(make_label(QObject::tr("In Python"), "section"));
    auto* code = make_label(snippet(workspace), "snippet");
    code->setFont(Theme::instance().monospace());
    code->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    column->addWidget(code);
    auto* row = new QHBoxLayout;
    row->addStretch();
    row->addWidget(box, 1);
    row->addStretch();
    state->extra()->addSpacing(10);
    state->extra()->addLayout(row);
    return state;
}

}  // namespace snakepit::shm::ui
