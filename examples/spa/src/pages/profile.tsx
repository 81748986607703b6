import { useMutation } from 'urql';
import { Field, Form, type Values } from '../form.tsx';
import { type ProfileQuery, UpdateProfileDocument } from '../operations.ts';
import { Section } from '../page.tsx';

/** In which Credence writes letters. */
const LANGUAGES = { de: 'Deutsch', en: 'English', es: 'Español', fr: 'Français', pt: 'Português', zh: '中文' };

export function Profile({ person }: { person: ProfileQuery['me'] }) {
  const [, update] = useMutation(UpdateProfileDocument);

  async function act({ displayName = '', locale = '', timeZone = '' }: Values) {
    // null clears; what is left out stays as it is.
    const { error } = await update({ input: { displayName: displayName || null, locale, timeZone } });
    return error;
  }

  return (
    <Section title="Profile">
      <Form submit="Save" done="Saved." act={act}>
        <Field
          name="displayName"
          label="Name that others see"
          autoComplete="name"
          required={false}
          maxLength={80}
          defaultValue={person.displayName ?? ''}
        />
        <Field
          name="locale"
          label="Language of letters"
          list="languages"
          defaultValue={person.locale}
          hint="A language tag such as en, de or pt-BR."
        />
        <datalist id="languages">
          {Object.entries(LANGUAGES).map(([tag, name]) => (
            <option key={tag} value={tag}>
              {name}
            </option>
          ))}
        </datalist>
        <Field
          name="timeZone"
          label="Time zone"
          list="time-zones"
          defaultValue={person.timeZone}
          hint={`This device is in ${Intl.DateTimeFormat().resolvedOptions().timeZone}.`}
        />
        <datalist id="time-zones">
          {Intl.supportedValuesOf('timeZone').map((zone) => (
            <option key={zone} value={zone} />
          ))}
        </datalist>
      </Form>
    </Section>
  );
}
