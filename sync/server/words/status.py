"""What a household's status page and the phone pass say."""

from __future__ import annotations

from collections.abc import Mapping

from sync.server.words.pairs import Pair

WORDS: Mapping[str, Pair] = {
    # the phone pass
    "phone_title": ("手机出入证", "Phone pass"),
    "phone_people": ("本机的出入证", "Passes on this phone"),
    "phone_alt": ("出入证二维码", "Code of the pass"),
    "phone_show": ("屏幕调亮，平放在读码口。截图无效。", "Turn up the brightness, hold it flat. Pictures do not work."),
    "phone_works_offline": ("每30秒换一次，没有网络也能用。", "Changes every 30 seconds; works without network."),
    "phone_needs_network": ("这里的码要连网才会更新。", "Here the code needs the network to stay fresh."),
    "phone_no_network": (
        "连不上网，码可能已过时。请连网，或出示纸质证。",
        "No network; the code may be out of date. Connect, or show the card.",
    ),
    "phone_clock": ("手机的时间改过，请连一次网。", "The clock of this phone was changed; connect once."),
    "phone_gone": (
        "这部手机上的证已停用。请出示纸质证，或到物业重新开通。",
        "The pass on this phone has ended. Show the card, or ask the desk to set it up again.",
    ),
    "phone_suspended": ("请到值班室，工作人员会帮您。", "Please come to the guard post. Staff will help you."),
    "phone_expired": ("出入证已到期，请到物业办延期。", "The pass has expired; the desk extends it."),
    "phone_to_form": ("到本小区首页", "To the compound's first page"),
    "phone_take_off": ("从这部手机上移除", "Take it off this phone"),
    "phone_end": (
        "移除后这部手机不再显示出入证，纸质证照常使用。要再开通请到物业。",
        "This phone will show no pass any more; the card works as before. The desk can set it up again.",
    ),
    "phone_taken_off": ("已移除。", "Taken off."),
    "phone_none_title": ("这部手机上没有出入证", "No pass on this phone"),
    "phone_none": (
        "领证以后，请物业给您看一个二维码，用常用的浏览器或微信扫一下就开通。",
        "Once you have collected your pass, ask the desk for a code and scan it with the browser you use.",
    ),
    "phone_none_card": (
        "没有手机证也能进出：请出示纸质证。",
        "You can come and go without it: show the card.",
    ),
    "phone_code_over": (
        "这个开通码已用过或超过15分钟。请物业再给一个。",
        "This code was used, or is older than 15 minutes. Ask the desk for another one.",
    ),
    "phone_activate_title": ("在这部手机上开通", "Set up on this phone"),
    "phone_activate": (
        "开通后这部手机随时能出示这张证，以前开通的手机就不再显示。",
        "This phone will show this pass; one that was set up before will not any more.",
    ),
    "phone_activate_do": ("开通", "Set up"),
    "phone_activate_browser": (
        "以后也请用现在这个浏览器打开，扫小区海报就能找到。",
        "Open it with this browser later on, too; the poster of the compound leads back here.",
    ),
    "status_back": ("返回", "Back"),
}
