// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "survey/host_survey.h"
#include "ui/pages/details_card.h"

namespace snakepit::shm::ui {

class CommandText;
class ElidedLabel;
class Workspace;

// Everything about one segment of the host: the verdict and what it rests on, who uses it, and the
// facts.
class HostDetails : public DetailsCard {
    Q_OBJECT
  public:
    explicit HostDetails(const Workspace& workspace, QWidget* parent = nullptr);
    void show_segment(const HostSegment* segment);  // null: none is selected

  private:
    void build_head();
    void build_facts();
    void show_facts(const HostSegment& segment);

    const Workspace& workspace_;
    QLabel *verdict_, *kind_;
    ElidedLabel* confidence_;
    QLabel *name_, *program_, *evidence_, *users_;
    CommandText* command_;
    QString whole_name_;  // as it is copied
    QWidget *command_title_, *command_line_;
    std::vector<QLabel*> facts_;
};

}  // namespace snakepit::shm::ui
