import { Link, useRouter } from "@tanstack/react-router";
import { Compass } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Empty } from "@/components/ui/states";
import { ApiError, errorText } from "@/lib/api/error";

/** No screen has that address. */
export function Missing() {
  const { t } = useTranslation();
  return (
    <Empty
      icon={Compass}
      title={t("states.missing")}
      action={
        <Button asChild>
          <Link to="/">{t("states.home")}</Link>
        </Button>
      }
    >
      {t("states.missingNext")}
    </Empty>
  );
}

/** A screen broke: what is around it still works. */
export function Broken({ error, reset }: { error: unknown; reset: () => void }) {
  const { t } = useTranslation();
  const router = useRouter();
  // after a new version the files of the last one are gone
  const isOutdated =
    error instanceof TypeError && /dynamically imported module|module script/i.test(error.message);
  const again = () => {
    if (isOutdated) location.reload();
    else void router.invalidate().then(reset);
  };
  return (
    <div role="alert" className="mx-auto flex max-w-md flex-col items-center gap-3 px-6 py-16 text-center">
      <p className="text-lg font-semibold">{t(isOutdated ? "states.outdated" : "states.broken")}</p>
      <p className="text-sm text-muted">
        {error instanceof ApiError
          ? errorText(error, t)
          : t(isOutdated ? "states.outdatedNext" : "states.brokenNext")}
      </p>
      <Button look="solid" onClick={again}>
        {t(isOutdated ? "states.reload" : "common.retry")}
      </Button>
    </div>
  );
}
