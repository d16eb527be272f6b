"""What the focus page says, in Chinese and English: ``(zh, en)``, as in :mod:`kiosk.guard.words`."""

from __future__ import annotations

from kiosk.guard.words import Pair

FOCUS: dict[str, Pair] = {
    "title": ("摄像头对焦", "Camera focus"),
    "lane": ("车道 {lane}", "Lane {lane}"),
    "whole": ("整个画面", "Whole picture"),
    "close": ("中心，一比一", "Centre, pixel by pixel"),
    "sharpness": ("清晰度", "Sharpness"),
    "best": ("最好 {best}", "best {best}"),
    "only_compare": (
        "只和同一张校准页、同一位置的数比。",
        "Compare it only with the same sheet at the same place.",
    ),
    "code": ("二维码", "Code"),
    "read": ("读出来了", "read"),
    "not_read": ("没读出来", "not read"),
    "engine": ("解码器", "Decoder"),
    "module": ("每格像素", "Pixels a module"),
    "expected": ("卡上每格应有", "On a card it should be"),
    "expected_px": ("{cm}厘米处{px}像素", "{px} at {cm} cm"),
    "expected_few": (
        "{cm}厘米处只有{px}像素，至少要{needs}：离近些或换摄像头",
        "only {px} at {cm} cm, {needs} are needed: hold codes nearer, or another camera",
    ),
    "brightness": ("亮度", "Brightness"),
    "exposure": ("曝光 × 增益", "Exposure × gain"),
    "exposure_of": ("{ms} 毫秒 × {gain}", "{ms} ms × {gain}"),
    "by_itself": ("摄像头自动", "set by the camera"),
    "lens": ("镜头对在", "Lens set to"),
    "by_hand": ("手动镜头", "turned by hand"),
    "cm": ("{cm} 厘米", "{cm} cm"),
    "none": ("–", "–"),
    "again": ("重新记最好值", "Forget the best"),
    "search": ("自动找最清晰的距离", "Find the sharpest distance"),
    "found": ("最清晰：{cm} 厘米", "Sharpest at {cm} cm"),
    "write": (
        "把这一行写进 kiosk.toml 里车道 {lane} 的 [[camera]]，再启动读码程序：",
        "Write this line into the [[camera]] of lane {lane} in kiosk.toml, and start the reader again:",
    ),
    "not_found": (
        "没有哪个距离明显最清晰。把校准页放稳在正中，照亮，再找一次。",
        "No distance was clearly the sharpest. Keep the sheet still in the middle, well lit, and search again.",
    ),
    "minutes_left": (
        "{minutes} 分钟后自动结束。画面只在这里看，不保存。",
        "Ends by itself in {minutes} min. The picture is shown here only, and not kept.",
    ),
    "over": ("对焦已结束。请重新启动读码程序。", "Focusing has ended. Start the reader again."),
    "cut_off": ("画面断了，正在重连。", "Picture cut off; retrying."),
    "starting": ("正在打开摄像头。", "The camera is starting."),
    "refused": (
        "这个地址不能用，或已经用过一次。在终端里重新运行 python -m kiosk focus，会给一个新地址。",
        "This address is not good, or was used once already. Run python -m kiosk focus again for a new one.",
    ),
}

FOCUS_ADVICE: dict[str, Pair] = {
    "sweeping": ("正在找，请不要动校准页 · {percent}%", "Searching; keep the sheet still · {percent} %"),
    "dark": ("太暗，照亮校准页", "Too dark: light the sheet"),
    "bright": ("太亮，避开直射光", "Too bright: out of direct light"),
    "nothing": ("把校准页拿到 {cm} 厘米处，放在正中", "Hold the calibration sheet at {cm} cm, in the middle"),
    "turn": ("没有刚才清晰，往回转一点", "Less sharp than before: turn back a little"),
    "closer": ("清晰，但码太小，靠近一点", "Sharp, but the code is too small: closer"),
    "unread": (
        "校准页在 {cm} 厘米处，慢慢转镜头，直到读出来",
        "Sheet at {cm} cm: turn the lens slowly until it is read",
    ),
    "unread_lens": ("还没读出来。点“自动找最清晰的距离”", "Not read yet. Choose “Find the sharpest distance”"),
    "onward": ("读出来了。再慢慢转，过了最好值就往回转", "Read. Turn on slowly, past the best number, then back to it"),
    "onward_lens": ("读出来了。可以再自动找最清晰的距离", "Read. Now find the sharpest distance"),
    "good": ("好，读得出来，这里最清晰", "Good: it is read, and nowhere sharper"),
}
